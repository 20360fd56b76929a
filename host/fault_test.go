package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// troubles are the errors of a kernel whose disk is full, fails or may not be written to.
func troubles() map[string]error {
	return map[string]error{"full": syscall.ENOSPC, "broken": syscall.EIO, "read-only": syscall.EROFS, "forbidden": syscall.EACCES, "full in the middle": Short(2)}
}

// What fails, whatever the kernel answers and whenever, cleans up, names the path and the cause, leaves the old or the new, and can be
// done again.
func TestFailures(t *testing.T) {
	data := FileSpec{Data: []byte("new"), Mode: 0o600, UID: os.Getuid(), GID: os.Getgid()}
	for name, c := range map[string]struct {
		do             func(h *Host) error
		path, old, new string
	}{
		"new file":  {func(h *Host) error { return h.WriteFile("/d/f", data) }, "/d/f", "absent", "new"},
		"file":      {func(h *Host) error { return h.WriteFile("/d/old", data) }, "/d/old", "old", "new"},
		"link":      {func(h *Host) error { return h.Symlink("other", "/d/old") }, "/d/old", "old", "other content"},
		"new log":   {func(h *Host) error { return h.AppendFile("/d/log", []byte("line\n"), 0o600) }, "/d/log", "absent", "line\n"},
		"log":       {func(h *Host) error { return h.AppendLazily("/d/old", []byte("line\n"), 0o600) }, "/d/old", "old", "oldline\n"},
		"directory": {func(h *Host) error { return h.MkdirAll("/d/a/b", 0o700) }, "/d/a/b", "absent", "directory"},
		"access":    {func(h *Host) error { return h.SetAccess("/d/old", 0o640, os.Getuid(), os.Getgid()) }, "/d/old", "old", "old"},
		"remove":    {func(h *Host) error { return h.Remove("/d/old") }, "/d/old", "old", "absent"},
		"rename":    {func(h *Host) error { return h.Rename("/d/old", "newer") }, "/d/old", "old", "absent"},
		"empty":     {func(h *Host) error { return h.RemoveEmptyDir("/d/e") }, "/d/e", "directory", "absent"},
		"tree":      {func(h *Host) error { return h.RemoveTree("/d/t") }, "/d/t", "directory", "absent"},
		"in a tree": {func(h *Host) error { return h.EmptyDir("/d/t") }, "/d/t/x/y", "old", "absent"},
		"cgroup":    {func(h *Host) error { return h.removeCgroups([]string{"/d/e"}, 1) }, "/d/e", "directory", "absent"},
		"lock":      {lockOnce, lockPath, "absent", ""},
	} {
		for trouble, fails := range troubles() {
			for at := 1; ; at++ {
				h, failed := newHost(t), ""
				plant(t, h, "/run/", "/d/other", "/d/e/", "/d/t/x/y")
				for path, text := range map[string]string{"/d/old": "old", "/d/other": "other content", "/d/t/x/y": "old"} {
					must(t, os.WriteFile(h.Root+path, []byte(text), 0o600))
				}
				n := 0
				h.Fault = func(op, _ string) error {
					if n++; n == at {
						failed = op
						return fails
					}
					return nil
				}
				err := c.do(h)
				if failed == "" && (err != nil || at == 1) {
					t.Fatalf("%s: %v after %d changes", name, err, n)
				}
				if failed == "" {
					break
				}
				if err == nil || !strings.Contains(err.Error(), fails.Error()) || !strings.HasPrefix(err.Error(), "cannot ") || !strings.Contains(strings.SplitN(err.Error(), "\n", 2)[0], c.path[:4]) {
					t.Errorf("%s, %s at %s: %v", name, trouble, failed, err)
				}
				if got := state(t, h, c.path); got != c.old && got != c.new {
					t.Errorf("%s, %s at %s: %q is there", name, trouble, failed, got)
				}
				for _, path := range strings.Fields(found(t, h)) {
					if strings.HasSuffix(path, ".tmp") {
						t.Errorf("%s, %s at %s: %s is left", name, trouble, failed, path)
					}
				}
				if name == "rename" && state(t, h, c.path) == c.new {
					continue // it is done
				}
				must(t, c.do(h))
				if got := state(t, h, c.path); got != c.new && name != "log" {
					t.Errorf("%s, again after %s at %s: %q is there", name, trouble, failed, got)
				}
			}
		}
	}
}

func lockOnce(h *Host) error {
	unlock, err := h.Lock(context.Background(), "test")
	if err == nil {
		unlock()
	}
	return err
}

// state is what is at a path.
func state(t *testing.T, h *Host, path string) string {
	t.Helper()
	info, err := h.StatFollow(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "absent"
	case err == nil && info.IsDir():
		return "directory"
	}
	must(t, err)
	data, err := h.ReadFile(path)
	must(t, err)
	return string(data)
}

// TestHints: what is in the way is named, with where it is and how much there is.
func TestHints(t *testing.T) {
	h := newHost(t)
	plant(t, h, "/var/lib/k/", "/proc/self/")
	must(t, os.WriteFile(h.Root+mountInfo, []byte("20 1 8:1 / / rw - ext4 /dev/vda rw\n21 20 8:2 / /var rw - xfs /dev/vdb rw\n22 20 8:3 / /va rw - xfs /dev/vdc rw\n"), 0o600))
	for path, c := range map[string]struct {
		fails error
		want  []string
	}{
		"/var/lib/k/f":   {syscall.ENOSPC, []string{"cannot write /var/lib/k/f: no space left on device\nthe file system at /var (xfs) has ", " free", ": make room on it"}},
		"/var/lib/k/g":   {Short(1), []string{"cannot write /var/lib/k/g: no space left on device\nthe file system at /var (xfs) has "}},
		"/f":             {syscall.EROFS, []string{"cannot write /f: read-only file system\nthe file system at / (ext4) is mounted read-only; run: mount -o remount,rw /\n"}},
		"/proc/self/x":   {syscall.EIO, []string{"input/output error\nthe disk below the file system at / (ext4) fails"}},
		"/var/lib/k/h":   {syscall.EDQUOT, []string{"\na quota on the file system at /var (xfs) is used up"}},
		"/var/lib/forb":  {syscall.EACCES, []string{"cannot write /var/lib/forb: permission denied\n"}},
		"/var/lib/crash": {errCrash, []string{"cannot write /var/lib/crash: crash"}},
	} {
		h.Fault = func(op, _ string) error {
			if op == "write" {
				return c.fails
			}
			return nil
		}
		err := h.WriteFile(path, FileSpec{Data: []byte("data"), Mode: 0o600})
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), h.Root) {
				t.Errorf("%s, no %q: %v", path, want, err)
			}
		}
	}
	full := fileSystem{stat: &unix.Statfs_t{Bsize: 4096, Blocks: 5 << 20, Bfree: 100, Files: 1000}}
	if got := full.room(true); got != " has 400 KiB of 20 GiB free, and none of its 1000 inodes" {
		t.Error(got)
	}
	if got := full.room(false); !strings.HasPrefix(got, " has 0 bytes of ") {
		t.Error(got)
	}
}
