package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newHost(t *testing.T) *Host {
	t.Helper()
	return &Host{Root: t.TempDir()}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// raw looks at the directory without the code under test.
func raw(t *testing.T, h *Host, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(h.Root, path))
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	must(t, err)
	return string(data)
}

func entries(t *testing.T, h *Host, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(h.Root, dir))
	must(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestWriteFile(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	h := newHost(t)
	must(t, h.MkdirAll("/etc/k/manifests", 0o755))
	for _, mode := range []fs.FileMode{0o600, 0o644, 0o640} {
		data := fmt.Sprint("content ", mode)
		must(t, h.WriteFile("/etc/k/manifests/a.yaml", FileSpec{Data: []byte(data), Mode: mode, UID: os.Getuid(), GID: os.Getgid()}))
		info, err := h.Stat("/etc/k/manifests/a.yaml")
		must(t, err)
		if info.Mode != mode || info.UID != os.Getuid() || info.Size != int64(len(data)) || info.Inode == 0 {
			t.Errorf("mode %v: got %+v", mode, info)
		}
		have, err := h.ReadFile("/etc/k/manifests/a.yaml")
		must(t, err)
		if string(have) != data {
			t.Errorf("read %q", have)
		}
	}
	for _, dir := range []string{"/etc", "/etc/k", "/etc/k/manifests"} {
		if info, _ := h.Stat(dir); info.Mode.Perm() != 0o755 || !info.IsDir() {
			t.Errorf("%s: mode %v despite the umask", dir, info.Mode)
		}
	}
	if got := entries(t, h, "/etc/k/manifests"); !cmp.Equal(got, []string{"a.yaml"}) {
		t.Errorf("files left: %q", got)
	}
}

// At the moment of the first byte the temporary file is empty, hidden from the kubelet and has its final mode.
func TestModeBeforeFirstByte(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o644} {
		h := newHost(t)
		looked := false
		h.Fault = func(op, path string) error {
			if op != "write" {
				return nil
			}
			looked = true
			names := entries(t, h, "/")
			if len(names) != 1 || !strings.HasPrefix(names[0], ".secret.key.") || !strings.HasSuffix(names[0], ".tmp") {
				t.Fatalf("files while writing: %q", names)
			}
			info, err := os.Stat(filepath.Join(h.Root, names[0]))
			must(t, err)
			if info.Mode() != mode || info.Size() != 0 {
				t.Errorf("mode %v, %d bytes; want mode %v and none", info.Mode(), info.Size(), mode)
			}
			return nil
		}
		must(t, h.WriteFile("/secret.key", FileSpec{Data: []byte("k"), Mode: mode}))
		if !looked {
			t.Error("the hook was not called")
		}
	}
}

var errCrash = errors.New("crash")

// A crash at any op leaves old or new, and the same call afterwards ends right and cleans up.
func TestCrash(t *testing.T) {
	type change struct {
		name string
		do   func(h *Host) error
		path string
		old  string
		want string
	}
	for _, c := range []change{
		{"new file", func(h *Host) error { return h.WriteFile("/d/f", FileSpec{Data: []byte("new"), Mode: 0o600}) }, "/d/f", "absent", "new"},
		{"file over file", func(h *Host) error { return h.WriteFile("/d/old", FileSpec{Data: []byte("new"), Mode: 0o600}) }, "/d/old", "old", "new"},
		{"link over file", func(h *Host) error { return h.Symlink("other", "/d/old") }, "/d/old", "old", "other content"},
		{"remove", func(h *Host) error { return h.Remove("/d/old") }, "/d/old", "old", "absent"},
		{"append", func(h *Host) error { return h.AppendFile("/d/log", []byte("line\n"), 0o600) }, "/d/log", "absent", "line\n"},
	} {
		for stop := 1; ; stop++ {
			h := newHost(t)
			must(t, h.MkdirAll("/d", 0o755))
			must(t, os.WriteFile(filepath.Join(h.Root, "d/old"), []byte("old"), 0o600))
			must(t, os.WriteFile(filepath.Join(h.Root, "d/other"), []byte("other content"), 0o600))
			n, at := 0, ""
			h.Fault = func(op, _ string) error {
				if n++; n == stop {
					at = op
					return errCrash
				}
				return nil
			}
			err := c.do(h)
			if at == "" { // all ops passed
				must(t, err)
				if stop == 1 {
					t.Errorf("%s: no ops", c.name)
				}
				break
			}
			if !errors.Is(err, errCrash) {
				t.Fatalf("%s, crash at %s: error %v", c.name, at, err)
			}
			if got := raw(t, h, c.path); got != c.old && got != c.want {
				t.Errorf("%s, crash at %s: %q is there", c.name, at, got)
			}
			h = &Host{Root: h.Root} // the next run
			must(t, c.do(h))
			if got := raw(t, h, c.path); got != c.want {
				t.Errorf("%s, again after crash at %s: %q is there", c.name, at, got)
			}
			for _, name := range entries(t, h, "/d") {
				if strings.HasPrefix(name, ".") {
					t.Errorf("%s, again after crash at %s: %s is left", c.name, at, name)
				}
			}
		}
	}
}

// SetAccess changes neither what a link leads to nor anything but files.
func TestSetAccess(t *testing.T) {
	h := newHost(t)
	must(t, h.MkdirAll("/d", 0o755))
	must(t, h.WriteFile("/f", FileSpec{Data: []byte("x"), Mode: 0o644, UID: os.Getuid(), GID: os.Getgid()}))
	must(t, h.Symlink("f", "/l"))
	before, err := h.Stat("/f")
	must(t, err)
	must(t, h.SetAccess("/f", 0o640, os.Getuid(), os.Getgid()))
	after, err := h.Stat("/f")
	must(t, err)
	if after.Mode != 0o640 || after.Inode != before.Inode || !after.ModTime.Equal(before.ModTime) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	for _, path := range []string{"/d", "/l", "/none"} {
		if err := h.SetAccess(path, 0o600, 0, 0); err == nil || !strings.HasPrefix(err.Error(), "cannot change the mode and owner of "+path+": ") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if follow, err := h.StatFollow("/l"); err != nil || follow.Inode != after.Inode || follow.Mode != 0o640 {
		t.Errorf("the link leads to %+v, %v", follow, err)
	}
	if h.OwnsFiles() {
		must(t, h.SetAccess("/f", 0o600, 1, 2))
		if info, err := h.Stat("/f"); err != nil || info.UID != 1 || info.GID != 2 || info.Mode != 0o600 {
			t.Errorf("%+v %v", info, err)
		}
	}
}

func TestErrorCleansUp(t *testing.T) {
	h := newHost(t)
	must(t, h.MkdirAll("/d/sub", 0o755))
	err := h.WriteFile("/d/sub", FileSpec{Data: []byte("x"), Mode: 0o600})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot write /d/sub: ") {
		t.Errorf("writing over a directory: %v", err)
	}
	if got := entries(t, h, "/d"); !cmp.Equal(got, []string{"sub"}) {
		t.Errorf("left: %q", got)
	}
	err = h.WriteFile("/none/f", FileSpec{})
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != "cannot write /none/f: no such file or directory" {
		t.Errorf("into a missing directory: %v", err)
	}
}

// Files that only look like ours stay.
func TestLeftoverNames(t *testing.T) {
	for name, want := range map[string]bool{
		".a.0123456789abcdef.tmp": true, ".a.b.0123456789abcdef.tmp": true, ".a.tmp": false, "a.0123456789abcdef.tmp": false,
		".a.0123456789abcdeg.tmp": false, ".a.0123456789abcdef": false, "a": false, ".0123456789abcdef.tmp": false,
		"..0123456789abcdef.tmp": false, ".a.123456789abcdef.tmp": false, ".a.0123456789abcdef0.tmp": false, ".a0123456789abcdef.tmp": false,
		".tmp": false, "": false,
	} {
		if leftover(name) != want {
			t.Errorf("leftover(%q) is %v", name, !want)
		}
	}
	p := &place{dir: "/d", name: "a"}
	if name := filepath.Base(p.temp()); !leftover(name) {
		t.Errorf("our own %s is not recognized", name)
	}
}

// What a crash left of a target that is never written again goes when the directory is entered; nothing else does.
func TestLeftoversOfOtherTargets(t *testing.T) {
	for name, enter := range map[string]func(h *Host) error{
		"write":  func(h *Host) error { return h.WriteFile("/d/new", FileSpec{Mode: 0o600}) },
		"remove": func(h *Host) error { return h.Remove("/d/none") },
		"asked":  func(h *Host) error { return h.RemoveLeftovers("/d") },
	} {
		h := newHost(t)
		must(t, h.MkdirAll("/d/.dir.0123456789abcdef.tmp", 0o755))
		for _, file := range []string{".old.pem.0123456789abcdef.tmp", ".old.pem.tmp", ".foreign.0123456789abcdef.tmp"} {
			must(t, os.WriteFile(filepath.Join(h.Root, "d", file), []byte("key"), 0o600))
		}
		must(t, os.Symlink("nowhere", filepath.Join(h.Root, "d/.link.00000000000000ff.tmp")))
		want := []string{".dir.0123456789abcdef.tmp", ".old.pem.tmp"}
		if h.OwnsFiles() {
			must(t, os.Chown(filepath.Join(h.Root, "d/.foreign.0123456789abcdef.tmp"), 65534, 65534))
			want = []string{".dir.0123456789abcdef.tmp", ".foreign.0123456789abcdef.tmp", ".old.pem.tmp"}
		}
		must(t, enter(h))
		must(t, h.Remove("/d/new"))
		if diff := cmp.Diff(want, entries(t, h, "/d")); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

func TestAppendFile(t *testing.T) {
	h := newHost(t)
	for range 3 {
		must(t, h.AppendFile("/journal", []byte("line\n"), 0o600))
	}
	if got := raw(t, h, "/journal"); got != "line\nline\nline\n" {
		t.Errorf("%q", got)
	}
	if info, _ := h.Stat("/journal"); info.Mode != 0o600 {
		t.Errorf("mode %v", info.Mode)
	}
}
