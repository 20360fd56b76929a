package host

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace says whether the test runs in a mount namespace of its own, where it may mount what it likes; the machine does
// not see it. If not, it runs the test again in one.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const mark = "KUBEWRIGHT_TEST_NAMESPACE"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // Go makes the mounts private then
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("may not make a mount namespace")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

func bind(t *testing.T, h *Host, from, to string) {
	t.Helper()
	must(t, unix.Mount(filepath.Join(h.Root, from), filepath.Join(h.Root, to), "", unix.MS_BIND, ""))
	t.Cleanup(func() { unix.Unmount(filepath.Join(h.Root, to), unix.MNT_DETACH) })
}

func TestRemoveTreeKeepsMounts(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	plant(t, h, "/other/kept", "/other/file", "/k/pods/x/volume/", "/k/pods/x/gone", "/k/pods/y/gone", "/k/file", "/k/tmpfs/", "/mnt/", "/m/gone")
	bind(t, h, "/other", "/k/pods/x/volume")
	bind(t, h, "/other/file", "/k/file")
	must(t, unix.Mount("tmpfs", h.Root+"/k/tmpfs", "tmpfs", 0, ""))
	t.Cleanup(func() { unix.Unmount(h.Root+"/k/tmpfs", 0) })
	plant(t, h, "/k/tmpfs/kept")
	for _, remove := range []struct {
		f    func(string) error
		verb string
	}{{h.EmptyDir, "empty"}, {h.RemoveTree, "remove"}} {
		err := remove.f("/k")
		for _, point := range []string{"/k/pods/x/volume", "/k/file", "/k/tmpfs"} {
			if err == nil || !containsAll(err.Error(), "cannot "+remove.verb+" /k: ", point+" is a mount point") {
				t.Errorf("%s: %v", remove.verb, err)
			}
		}
		want := "/k /k/file /k/pods /k/pods/x /k/pods/x/volume /k/pods/x/volume/file /k/pods/x/volume/kept /k/tmpfs /k/tmpfs/kept" +
			" /m /m/gone /mnt /other /other/file /other/kept"
		if got := found(t, h); got != want {
			t.Errorf("left: %s", got)
		}
	}
	// A mount point itself is emptied.
	bind(t, h, "/m", "/mnt")
	if err := h.RemoveTree("/mnt"); err == nil || err.Error() != "cannot remove /mnt: /mnt is a mount point" {
		t.Errorf("%v", err)
	}
	if h.Exists("/m/gone") || !h.Exists("/mnt") {
		t.Errorf("left: %s", found(t, h))
	}
	plant(t, h, "/m/gone")
	if err := h.EmptyDir("/mnt"); err != nil || h.Exists("/m/gone") {
		t.Errorf("%v", err)
	}
	if err := h.RemoveTree("/k/file"); err == nil || err.Error() != "cannot remove /k/file: /k/file is a mount point" {
		t.Errorf("%v", err)
	}
}

// Both ways to tell a mount point agree.
func TestOpenBelow(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	plant(t, h, "/d/plain/", "/d/mount/", "/d/file", "/d/link->plain")
	bind(t, h, "/d/plain", "/d/mount")
	parent, err := os.Open(h.Root + "/d")
	must(t, err)
	defer parent.Close()
	for name, open := range map[string]func(*os.File, string) (*os.File, error){"openat2": openBelow, "compared": openCompared} {
		for entry, want := range map[string]error{"plain": nil, "mount": unix.EXDEV, "file": unix.ENOTDIR, "link": unix.ENOTDIR, "none": unix.ENOENT} {
			d, err := open(parent, entry)
			if !errors.Is(err, want) {
				t.Errorf("%s of %s: %v", name, entry, err)
			}
			if d != nil {
				d.Close()
			}
		}
	}
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
