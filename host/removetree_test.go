package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// plant makes files, "a/b", directories, "a/", and links, "a -> target", below the host's root.
func plant(t *testing.T, h *Host, entries ...string) {
	t.Helper()
	for _, entry := range entries {
		name, target, link := strings.Cut(entry, " -> ")
		path := filepath.Join(h.Root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case err != nil:
		case link:
			err = os.Symlink(target, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(name), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// left lists what is below the host's root.
func left(t *testing.T, h *Host) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(h.Root, func(path string, _ os.DirEntry, err error) error {
		if name := strings.TrimPrefix(path, h.Root); name != "" {
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRemoveTree(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(outside+"/precious", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		plant []string
		do    func(h *Host) error
		left  []string
		err   string
	}{
		"nothing":   {[]string{"a/"}, func(h *Host) error { return h.RemoveTree("/a/b") }, []string{"/a"}, ""},
		"above too": {nil, func(h *Host) error { return errors.Join(h.RemoveTree("/a/b"), h.EmptyDir("/a/b")) }, nil, ""},
		"file":      {[]string{"a/f"}, func(h *Host) error { return h.RemoveTree("/a/f") }, []string{"/a"}, ""},
		"tree": {[]string{"a/t/x/y/z", "a/t/x/f", "a/t/e/", "a/o"}, func(h *Host) error { return h.RemoveTree("/a/t") },
			[]string{"/a", "/a/o"}, ""},
		"link inside": {[]string{"a/t/l -> " + outside, "a/t/m -> ../o", "a/o/f"}, func(h *Host) error { return h.RemoveTree("/a/t") },
			[]string{"/a", "/a/o", "/a/o/f"}, ""},
		"link": {[]string{"a/t -> o", "a/o/f"}, func(h *Host) error { return h.RemoveTree("/a/t") }, []string{"/a", "/a/o", "/a/o/f"}, ""},
		"empty link": {[]string{"a/t -> o", "a/o/f", "a/o/d/g"}, func(h *Host) error { return h.EmptyDir("/a/t") },
			[]string{"/a", "/a/o", "/a/t"}, ""},
		"empty":        {[]string{"a/t/x/y", "a/o"}, func(h *Host) error { return h.EmptyDir("/a/t") }, []string{"/a", "/a/o", "/a/t"}, ""},
		"empty a file": {[]string{"a"}, func(h *Host) error { return h.EmptyDir("/a") }, []string{"/a"}, "cannot empty /a: not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &Host{Root: t.TempDir()}
			plant(t, h, c.plant...)
			err := c.do(h)
			if c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) {
				t.Errorf("error: %v, want %q", err, c.err)
			}
			if got := left(t, h); !slices.Equal(got, c.left) {
				t.Errorf("left: %v, want %v", got, c.left)
			}
			if _, err := os.Stat(outside + "/precious"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A removal that was cut off anywhere is completed by the next one.
func TestRemoveTreeKilled(t *testing.T) {
	for at := 1; ; at++ {
		h := &Host{Root: t.TempDir()}
		plant(t, h, "a/t/x/y/z", "a/t/x/f", "a/t/e/", "a/o")
		n := 0
		h.Fault = func(string, string) error {
			if n++; n == at {
				return errors.New("power cut")
			}
			return nil
		}
		err := h.RemoveTree("/a/t")
		if err == nil {
			if at < 7 {
				t.Errorf("only %d faults", at-1)
			}
			return
		}
		if n != at {
			t.Errorf("it went on after fault %d", at)
		}
		h.Fault = nil
		if err := h.RemoveTree("/a/t"); err != nil {
			t.Error(err)
		}
		if got := left(t, h); !slices.Equal(got, []string{"/a", "/a/o"}) {
			t.Errorf("after fault %d: %v", at, got)
		}
	}
}

// What is mounted below stays, also if it is of the same file system, and the rest goes.
func TestRemoveTreeMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts need root")
	}
	h := &Host{Root: t.TempDir()}
	plant(t, h, "t/a/m/", "t/f", "t/x/m2/", "other/precious", "t/x/file", "other2")
	failed := inMountNamespace(func() error {
		for from, to := range map[string]string{"other": "t/a/m", "other2": "t/x/file"} {
			if err := unix.Mount(h.Root+"/"+from, h.Root+"/"+to, "", unix.MS_BIND, ""); err != nil {
				return errors.Join(errUnsupported, err)
			}
		}
		err := h.RemoveTree("/t")
		for _, want := range []string{"/t/a/m: is a mount point", "/t/x/file: is a mount point"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				return fmt.Errorf("error: %v, want %s", err, want)
			}
		}
		for path, there := range map[string]bool{"/other/precious": true, "/t/a/m/precious": true, "/other2": true, "/t/f": false, "/t/x/m2": false} {
			if h.Exists(path) != there {
				return fmt.Errorf("%s is there: %v", path, !there)
			}
		}
		if err := h.EmptyDir("/t/a/m"); err != nil || h.Exists("/other/precious") { // it was asked for by its own name
			return fmt.Errorf("a mount point can be emptied: %w", err)
		}
		return nil
	})
	if errors.Is(failed, errUnsupported) {
		t.Skip(failed)
	}
	if failed != nil {
		t.Error(failed)
	}
}

var errUnsupported = errors.New("this machine does not let us mount")

// inMountNamespace runs f with mounts of its own, which nobody else sees.
func inMountNamespace(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends, and its mounts
		err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err != nil {
			done <- errors.Join(errUnsupported, err)
			return
		}
		done <- f()
	}()
	return <-done
}
