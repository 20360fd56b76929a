package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a container has written, its log is read: nothing is made up, and no line grows without end.
func FuzzParseLog(f *testing.F) {
	f.Add("2026-11-24T12:00:00.000000000Z stderr F the end\n")
	f.Add("t stdout P a\nt stderr P x\nt stdout P b\nt stdout F c\nno form\nt stderr F:more y")
	f.Add("t stdout P:\x00 \xff\r\n\n stdout  \n")
	f.Fuzz(func(t *testing.T, text string) {
		lines := parseLog(text)
		length := 0
		for _, line := range lines {
			length += len(line)
			if strings.Contains(line, "\n") {
				t.Errorf("%q is more than a line", line)
			}
		}
		if length > len(text) || len(lines) > strings.Count(text, "\n")+1 {
			t.Errorf("%d bytes became %d lines with %d bytes", len(text), len(lines), length)
		}
	})
}

// Whatever the kernel says of mounts, it is read or refused; what is below a path is told once, and what is deeper before it.
func FuzzMounts(f *testing.F) {
	f.Add("22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n23 22 0:5 / /a rw - tmpfs tmpfs rw\n24 23 0:6 / /a/b\\040c rw - tmpfs tmpfs rw\n")
	f.Add("1 2 0:0 / /a rw - x y\n2 1 0:0 / /a/b rw - x y\n1 1 0:0 / /a/b rw - \\400 y\n")
	f.Add("1 1 - \n")
	h := &Host{Root: f.TempDir()}
	if err := os.MkdirAll(filepath.Join(h.Root, "proc/self"), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(h.Root, mountInfo), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := h.mounts()
		if err != nil {
			return
		}
		below, err := h.MountsBelow("/a")
		if err != nil {
			return
		}
		if len(below) > len(all) {
			t.Errorf("%d of %d mounts", len(below), len(all))
		}
		for _, m := range below {
			if !strings.HasPrefix(m.Path, "/a/") {
				t.Errorf("%q is not below", m.Path)
			}
		}
	})
}

// Whatever stands in the lock's file, who waits for it is told something.
func FuzzLockHolder(f *testing.F) {
	f.Add("12\n2026-11-24T12:00:00Z\nkubewright init\n")
	f.Add("\n\n\n\n")
	f.Add("12\n")
	path := filepath.Join(f.TempDir(), "lock")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if message := busy(file).Error(); len(message) < 20 || len(message) > 3*4096+200 {
			t.Errorf("%q", message)
		}
	})
}
