package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestRemove(t *testing.T) {
	h := newHost(t)
	must(t, h.MkdirAll("/d/full/sub", 0o700))
	must(t, h.Symlink("full", "/d/link"))
	must(t, h.Remove("/d/none"))
	must(t, h.Remove("/none/none"))
	must(t, h.Remove("/d/link"))
	if h.Exists("/d/link") || !h.Exists("/d/full") {
		t.Error("Remove follows the link")
	}
	if err := h.Remove("/d/full"); err == nil || !h.Exists("/d/full/sub") {
		t.Errorf("Remove of a full directory: %v", err)
	}
	must(t, h.RemoveEmptyDir("/d/none"))
	must(t, h.RemoveEmptyDir("/d/full"))
	if !h.Exists("/d/full/sub") {
		t.Error("RemoveEmptyDir removed a full directory")
	}
	must(t, h.RemoveEmptyDir("/d/full/sub"))
	if h.Exists("/d/full/sub") {
		t.Error("RemoveEmptyDir left an empty directory")
	}
	must(t, h.AppendFile("/d/file", nil, 0o600))
	if err := h.RemoveEmptyDir("/d/file"); err == nil || !h.Exists("/d/file") {
		t.Errorf("RemoveEmptyDir of a file: %v", err)
	}
}

func TestMkdirAll(t *testing.T) {
	h := newHost(t)
	var made []string
	h.Fault = func(op, path string) error { made = append(made, op+" "+path); return nil }
	must(t, h.MkdirAll("/a/b/c", 0o700))
	must(t, h.MkdirAll("/a/b/c", 0o755))
	must(t, h.MkdirAll("/", 0o755))
	if len(made) != 3 || made[0] != "mkdir /a" || made[2] != "mkdir /a/b/c" {
		t.Errorf("made %q", made)
	}
	if info, _ := h.Stat("/a/b/c"); info.Mode.Perm() != 0o700 {
		t.Errorf("mode %v: one that is there must keep its mode", info.Mode)
	}
	must(t, h.AppendFile("/file", nil, 0o600))
	for _, path := range []string{"/file", "/file/sub"} {
		if err := h.MkdirAll(path, 0o755); err == nil {
			t.Errorf("made %s through a file", path)
		}
	}
	must(t, h.Symlink("nowhere", "/dangling"))
	if err := h.MkdirAll("/dangling", 0o755); err == nil {
		t.Error("made a directory through a dangling link")
	}
	must(t, h.Symlink("/a/b", "/linked"))
	must(t, h.MkdirAll("/linked/d", 0o755))
	if !h.Exists("/a/b/d") {
		t.Error("a linked directory is not followed")
	}
}

// No link below a root directory leads out of it, for reading or writing.
func TestNoEscape(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("outside"), 0o600))
	up := "../../../../../../../../../../../../../.."
	for name, target := range map[string]string{"absolute": outside, "relative": up + outside, "proc": "/proc/self/cwd"} {
		h := newHost(t)
		must(t, os.Symlink(target, filepath.Join(h.Root, "link")))
		must(t, os.Symlink(target+"/secret", filepath.Join(h.Root, "file")))
		for _, path := range []string{"/link/secret", "/file", "/link/../../../.." + outside + "/secret"} {
			if data, err := h.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: reading %s gives %q, %v", name, path, data, err)
			}
		}
		_ = h.WriteFile("/link/written", FileSpec{Data: []byte("x"), Mode: 0o600})
		_ = h.WriteFile("/file", FileSpec{Data: []byte("x"), Mode: 0o600}) // replaces the link
		_ = h.AppendFile("/link/written", []byte("x"), 0o600)
		_ = h.Remove("/link/secret")
		_ = h.Symlink("x", "/link/written")
		_ = h.MkdirAll("/link/written", 0o755)
		list, err := os.ReadDir(outside)
		must(t, err)
		if data, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(data) != "outside" || len(list) != 1 {
			t.Errorf("%s: something changed outside: %q, %v, %v", name, data, err, list)
		}
	}
}

// Below a root directory a link means what it means after a chroot.
func TestLinksInRoot(t *testing.T) {
	h := newHost(t)
	must(t, h.MkdirAll("/var/lib/kubelet/pki", 0o755))
	must(t, h.MkdirAll("/run", 0o755))
	must(t, h.Symlink("/run", "/var/run"))
	must(t, h.WriteFile("/var/run/x", FileSpec{Data: []byte("in run"), Mode: 0o600}))
	if got := raw(t, h, "/run/x"); got != "in run" {
		t.Errorf("/run/x: %s", got)
	}
	must(t, h.WriteFile("/var/lib/kubelet/pki/real.pem", FileSpec{Data: []byte("cert"), Mode: 0o600}))
	must(t, h.Symlink("/var/lib/kubelet/pki/real.pem", "/var/lib/kubelet/pki/current.pem"))
	data, err := h.ReadFile("/var/lib/kubelet/pki/current.pem")
	if err != nil || string(data) != "cert" {
		t.Errorf("through an absolute link: %q, %v", data, err)
	}
	info, err := h.Stat("/var/lib/kubelet/pki/current.pem")
	if err != nil || info.Link != "/var/lib/kubelet/pki/real.pem" || info.IsDir() {
		t.Errorf("stat of a link: %+v, %v", info, err)
	}
	names, err := h.ReadDir("/var/run")
	if err != nil || len(names) != 1 || names[0] != "x" {
		t.Errorf("list through a link: %q, %v", names, err)
	}
	must(t, h.Symlink("loop2", "/loop1"))
	must(t, h.Symlink("loop1", "/loop2"))
	if _, err := h.ReadFile("/loop1"); err == nil {
		t.Error("a loop of links has content")
	}
	if !h.Exists("/loop1") || h.Exists("/none") {
		t.Error("Exists is wrong")
	}
}

// Root "/" is the machine itself, where absolute links work.
func TestMachine(t *testing.T) {
	h, dir := &Host{Root: "/"}, t.TempDir()
	must(t, h.MkdirAll(dir+"/a/b", 0o755))
	must(t, h.Symlink(dir+"/a", dir+"/link"))
	must(t, h.WriteFile(dir+"/link/b/f", FileSpec{Data: []byte("x"), Mode: 0o640}))
	must(t, h.AppendFile(dir+"/link/b/f", []byte("y"), 0o640))
	if data, err := os.ReadFile(dir + "/a/b/f"); err != nil || string(data) != "xy" {
		t.Errorf("%q, %v", data, err)
	}
	must(t, h.Remove(dir+"/link/b/f"))
	if names, err := h.ReadDir(dir + "/link/b"); err != nil || len(names) != 0 {
		t.Errorf("%q, %v", names, err)
	}
	if _, err := (&Host{}).Stat("/etc"); err == nil {
		t.Error("a host without a root works")
	}
	if _, err := h.Stat("etc"); err == nil {
		t.Error("a relative path works")
	}
}

func TestRename(t *testing.T) {
	h := newHost(t)
	must(t, h.MkdirAll("/var/lib/etcd/member/wal", 0o700))
	must(t, h.Rename("/var/lib/etcd/member", "member.removed"))
	if h.Exists("/var/lib/etcd/member") || !h.Exists("/var/lib/etcd/member.removed/wal") {
		t.Error("it is not there under its new name")
	}
	must(t, h.MkdirAll("/var/lib/etcd/member", 0o700))
	if err := h.Rename("/var/lib/etcd/member", "member.removed"); err == nil || !h.Exists("/var/lib/etcd/member") {
		t.Errorf("renamed over something: %v", err)
	}
	if err := h.Rename("/nowhere", "x"); err == nil {
		t.Error("nothing was renamed without an error")
	}
}
