package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// plant makes directories (with a / at the end), links (a->b) and files below the host's root.
func plant(t *testing.T, h *Host, entries ...string) {
	t.Helper()
	for _, entry := range entries {
		path, target, link := strings.Cut(entry, "->")
		must(t, os.MkdirAll(filepath.Join(h.Root, filepath.Dir(path+"x")), 0o755))
		switch {
		case link:
			must(t, os.Symlink(target, filepath.Join(h.Root, path)))
		case !strings.HasSuffix(path, "/"):
			must(t, os.WriteFile(filepath.Join(h.Root, path), []byte(entry), 0o600))
		}
	}
}

// found lists what is below the host's root.
func found(t *testing.T, h *Host) string {
	t.Helper()
	var paths []string
	must(t, filepath.WalkDir(h.Root, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, strings.TrimPrefix(path, h.Root))
		return err
	}))
	return strings.Join(paths[1:], " ")
}

func TestRemoveTree(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(outside+"/kept", nil, 0o600))
	h := newHost(t)
	plant(t, h, "/d/k/a/b/file", "/d/k/empty/", "/d/k/up->..", "/d/k/a/out->"+outside, "/d/k/a/other->/other", "/other/kept", "/d/.k.0123456789abcdef.tmp",
		"/link->/other", "/file", "/via->/d")
	must(t, unix.Mkfifo(filepath.Join(h.Root, "/d/k/fifo"), 0o600))
	must(t, h.RemoveTree("/d/k"))
	for _, path := range []string{"/d/k", "/none", "/none/none", "/link", "/file", "/via/none"} {
		must(t, h.RemoveTree(path))
	}
	if got := found(t, h); got != "/d /other /other/kept /via" {
		t.Errorf("left: %s", got)
	}
	if _, err := os.Stat(outside + "/kept"); err != nil {
		t.Error(err)
	}
	for _, remove := range []func(string) error{h.RemoveTree, h.EmptyDir} {
		if err := remove("/x/../"); err == nil || !h.Exists("/other/kept") {
			t.Errorf("removes the root: %v", err)
		}
	}
}

func TestEmptyDir(t *testing.T) {
	h := newHost(t)
	plant(t, h, "/disk/k/pods/x/file", "/disk/k/config.yaml", "/disk/other", "/var/lib/kubelet->/disk/k", "/var/lib/plain/file", "/file", "/dangling->none")
	for _, path := range []string{"/var/lib/kubelet", "/var/lib/plain", "/none", "/dangling"} {
		must(t, h.EmptyDir(path))
	}
	if got := found(t, h); got != "/dangling /disk /disk/k /disk/other /file /var /var/lib /var/lib/kubelet /var/lib/plain" {
		t.Errorf("left: %s", got)
	}
	if err := h.EmptyDir("/file"); err == nil || err.Error() != "cannot empty /file: not a directory" || !h.Exists("/file") {
		t.Errorf("a file: %v", err)
	}
}

// On the machine itself absolute links on the way are followed, and the others are not.
func TestRemoveTreeOfMachine(t *testing.T) {
	h, real := newHost(t), &Host{Root: "/"}
	plant(t, h, "/disk/k/pods/x->/", "/disk/k/kept->/nowhere", "/var/lib/")
	must(t, os.Symlink(h.Root+"/disk", h.Root+"/var/lib/disk"))
	must(t, os.Symlink(h.Root+"/disk/k", h.Root+"/var/lib/k"))
	must(t, real.RemoveTree(h.Root+"/var/lib/disk/k/pods"))
	if got := found(t, h); got != "/disk /disk/k /disk/k/kept /var /var/lib /var/lib/disk /var/lib/k" {
		t.Errorf("left: %s", got)
	}
	must(t, real.EmptyDir(h.Root+"/var/lib/k"))
	must(t, real.RemoveTree(h.Root+"/var/lib/k"))
	if got := found(t, h); got != "/disk /disk/k /var /var/lib /var/lib/disk" {
		t.Errorf("left: %s", got)
	}
}

// It stops at every point as a crash would, and the next time the rest goes.
func TestRemoveTreeCrashes(t *testing.T) {
	crash := errors.New("power cut")
	for _, remove := range []func(*Host) error{
		func(h *Host) error { return h.RemoveTree("/d/k") }, func(h *Host) error { return h.EmptyDir("/d/k") },
	} {
		for n, done := 0, false; !done; n++ {
			h := newHost(t)
			plant(t, h, "/d/k/a/b", "/d/k/c", "/d/k/l->a")
			var calls []string
			h.Fault = func(op, path string) error {
				calls = append(calls, op+" "+path)
				if len(calls) > n {
					return crash
				}
				return nil
			}
			err := remove(h)
			done = err == nil
			if !done && (!errors.Is(err, crash) || len(calls) != n+1) {
				t.Fatalf("crash %d: %v after %q", n, err, calls)
			}
			left := 4 + 1 - min(n, 4) // the parent, and what was not removed of the four or five
			if got := len(strings.Fields(found(t, h))); got < left {
				t.Errorf("crash %d: %q removed more: %d left", n, calls, got)
			}
			h.Fault = nil
			must(t, remove(h))
			if got := found(t, h); got != "/d" && got != "/d /d/k" {
				t.Errorf("after crash %d: left %s", n, got)
			}
			slices.Sort(calls)
			if want := []string{"remove /d/k/a", "remove /d/k/a/b", "remove /d/k/c", "remove /d/k/l"}; done && !slices.Equal(slices.DeleteFunc(calls,
				func(c string) bool { return c == "remove /d/k" || strings.HasPrefix(c, "syncdir ") }), want) {
				t.Errorf("calls: %q", calls)
			}
		}
	}
}

// What can't be removed does not keep the others, and the error names it.
func TestRemoveTreeStays(t *testing.T) {
	h := newHost(t)
	plant(t, h, "/d/a/file", "/d/z/file", "/d/ro/file")
	stuck := filepath.Join(h.Root, "/d/ro")
	if os.Geteuid() == 0 {
		if !immutable(t, stuck, true) {
			t.Skip("this file system has no immutable directories")
		}
		defer immutable(t, stuck, false)
	} else {
		must(t, os.Chmod(stuck, 0o500))
		defer os.Chmod(stuck, 0o700)
	}
	err := h.RemoveTree("/d")
	if err == nil || !strings.HasPrefix(err.Error(), "cannot remove /d: /d/ro/file can't be removed: ") || strings.Contains(err.Error(), h.Root) {
		t.Errorf("%v", err)
	}
	if got := found(t, h); got != "/d /d/ro /d/ro/file" {
		t.Errorf("left: %s", got)
	}
}

// immutable sets or clears chattr's i; it returns whether the file system has it.
func immutable(t *testing.T, dir string, on bool) bool {
	t.Helper()
	d, err := os.Open(dir)
	must(t, err)
	defer d.Close()
	flags, err := unix.IoctlGetInt(int(d.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return false
	}
	const immutableFlag = 0x10 // FS_IMMUTABLE_FL
	flags &^= immutableFlag
	if on {
		flags |= immutableFlag
	}
	return unix.IoctlSetPointerInt(int(d.Fd()), unix.FS_IOC_SETFLAGS, flags) == nil
}

func TestStaysAreFew(t *testing.T) {
	r := remover{}
	for i := range 9 {
		r.stays(fmt.Sprint("/", i), unix.EPERM)
	}
	want := "/4 can't be removed: operation not permitted; and 4 more"
	if err := r.err(); err == nil || !strings.HasSuffix(err.Error(), want) || strings.Count(err.Error(), "; ") != 5 {
		t.Errorf("%v", err)
	}
}
