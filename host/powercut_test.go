package host

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// disk knows, beside what is in a tree of files, what of it a power cut may leave: of each name any meaning that it had since its
// directory was synced, independently of the other names, and of each file that was changed since it was synced nothing, a half,
// zeros, the old or the new content.
type disk struct {
	t    *testing.T
	root string
	// names has, by path, the inodes that may be there; 0 is nothing.
	names map[string]map[uint64]bool
	// now is what each inode holds, and durable what of it was synced; mode and content.
	now, durable map[uint64]string
	// held keeps the inodes of removed files from being used again.
	held map[uint64]*os.File
}

// newDisk takes what is there for durable, and looks at each step of h from then on. check is called before each change, and after
// each sync.
func newDisk(t *testing.T, h *Host, check func(d *disk)) *disk {
	d := &disk{t, h.Root, map[string]map[uint64]bool{}, map[uint64]string{}, map[uint64]string{}, map[uint64]*os.File{}}
	t.Cleanup(func() {
		for _, f := range d.held {
			f.Close()
		}
	})
	d.look()
	for path := range d.names {
		d.names[path] = map[uint64]bool{d.at(path): true}
	}
	d.durable = maps.Clone(d.now)
	h.Fault = func(string, string) error {
		d.look()
		check(d)
		return nil
	}
	h.synced = func(f *os.File) {
		d.look()
		check(d)
		info, err := f.Stat()
		must(t, err)
		ino := info.Sys().(*syscall.Stat_t).Ino
		if !info.IsDir() {
			d.durable[ino] = d.now[ino]
			return
		}
		for path := range d.names {
			if filepath.Dir(path) != path && d.at(filepath.Dir(path)) == ino {
				d.names[path] = map[uint64]bool{d.at(path): true}
			}
		}
	}
	return d
}

// at is the inode that is at a path now.
func (d *disk) at(path string) uint64 {
	info, err := os.Lstat(filepath.Join(d.root, path))
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// look notes what has changed.
func (d *disk) look() {
	d.t.Helper()
	must(d.t, filepath.WalkDir(d.root, func(full string, e fs.DirEntry, err error) error {
		must(d.t, err)
		path := strings.TrimPrefix(full, d.root)
		if path == "" {
			path = "/"
		}
		info, err := e.Info()
		must(d.t, err)
		ino := info.Sys().(*syscall.Stat_t).Ino
		if d.names[path] == nil {
			d.names[path] = map[uint64]bool{0: true} // it is new
		}
		switch {
		case info.IsDir():
			d.now[ino] = "directory"
			d.durable[ino] = d.now[ino]
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(full)
			must(d.t, err)
			d.now[ino] = "link to " + target
			d.durable[ino] = d.now[ino] // a link is made whole, with its name
		default:
			if d.held[ino] == nil {
				if d.held[ino], err = os.Open(full); err != nil {
					return err
				}
			}
			data, err := os.ReadFile(full)
			must(d.t, err)
			d.now[ino] = fmt.Sprintf("%o %s", info.Mode().Perm(), data)
		}
		return nil
	}))
	for path, may := range d.names {
		may[d.at(path)] = true
	}
}

// after is what may be at a path after a power cut now, sorted.
func (d *disk) after(path string) []string {
	found := map[string]bool{}
	may := d.names[path]
	if may == nil {
		may = map[uint64]bool{0: true}
	}
	for ino := range may {
		if ino == 0 {
			found["nothing"] = true
			continue
		}
		now, durable := d.now[ino], d.durable[ino]
		found[now] = true
		if now == durable {
			continue
		}
		mode, data, _ := strings.Cut(now, " ")
		_, old, had := strings.Cut(durable, " ")
		if had {
			found[durable] = true
			found[mode+" "+old] = true
		}
		kept := 0
		if strings.HasPrefix(data, old) { // appended
			kept = len(old)
		}
		found[mode+" "+data[:kept]] = true
		found[mode+" "+data[:kept+(len(data)-kept)/2]] = true
		found[mode+" "+data[:kept]+string(make([]byte, len(data)-kept))] = true
	}
	for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) {
		if d.names[dir] == nil || d.names[dir][0] {
			found["nothing"] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// A power cut at any moment leaves the old or the new; what a method has reported is there. A file to which was appended may be cut off.
func TestPowerCut(t *testing.T) {
	file := func(text string, mode fs.FileMode) FileSpec {
		return FileSpec{Data: []byte(text), Mode: mode, UID: os.Getuid(), GID: os.Getgid()}
	}
	for _, c := range []struct {
		name, path, old, want string
		do                    func(h *Host) error
	}{
		{"new file", "/d/f", "nothing", "600 new", func(h *Host) error { return h.WriteFile("/d/f", file("new", 0o600)) }},
		{"file over file", "/d/old", "644 old", "600 new", func(h *Host) error { return h.WriteFile("/d/old", file("new", 0o600)) }},
		{"file over link", "/d/link", "link to old", "600 new", func(h *Host) error { return h.WriteFile("/d/link", file("new", 0o600)) }},
		{"new link", "/d/l", "nothing", "link to x", func(h *Host) error { return h.Symlink("x", "/d/l") }},
		{"link over file", "/d/old", "644 old", "link to x", func(h *Host) error { return h.Symlink("x", "/d/old") }},
		{"directories", "/d/a/b", "nothing", "directory", func(h *Host) error { return h.MkdirAll("/d/a/b", 0o755) }},
		{"file in new directory", "/n/a/f", "nothing", "600 new", func(h *Host) error {
			if err := h.MkdirAll("/n/a", 0o700); err != nil {
				return err
			}
			return h.WriteFile("/n/a/f", file("new", 0o600))
		}},
		{"remove", "/d/old", "644 old", "nothing", func(h *Host) error { return h.Remove("/d/old") }},
		{"remove tree", "/d", "directory", "nothing", func(h *Host) error { return h.RemoveTree("/d") }},
		{"empty directory", "/d/old", "644 old", "nothing", func(h *Host) error { return h.EmptyDir("/d") }},
		{"rename", "/d/other", "nothing", "644 old", func(h *Host) error { return h.Rename("/d/old", "other") }},
		{"access", "/d/old", "644 old", "600 old", func(h *Host) error { return h.SetAccess("/d/old", 0o600, os.Getuid(), os.Getgid()) }},
		{"append", "/d/old", "644 old", "644 old and new", func(h *Host) error { return h.AppendFile("/d/old", []byte(" and new"), 0o600) }},
		{"append to nothing", "/d/f", "nothing", "600 new", func(h *Host) error { return h.AppendFile("/d/f", []byte("new"), 0o600) }},
		{"append after a lazy one", "/d/f", "nothing", "600 one two", func(h *Host) error {
			if err := h.AppendLazily("/d/f", []byte("one "), 0o600); err != nil {
				return err
			}
			return h.AppendFile("/d/f", []byte("two"), 0o600)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			must(t, os.MkdirAll(filepath.Join(h.Root, "d"), 0o755))
			must(t, os.WriteFile(filepath.Join(h.Root, "d/old"), []byte("old"), 0o644))
			must(t, os.Symlink("old", filepath.Join(h.Root, "d/link")))
			points := 0
			d := newDisk(t, h, func(d *disk) {
				points++
				for _, state := range d.after(c.path) {
					appended := strings.HasPrefix(c.name, "append") && strings.HasPrefix(c.want, strings.TrimRight(state, "\x00"))
					if state != c.old && state != c.want && !appended {
						t.Errorf("a power cut leaves %q", state)
					}
				}
			})
			if got := d.after(c.path); !slices.Equal(got, []string{c.old}) {
				t.Fatalf("before: %q", got)
			}
			must(t, c.do(h))
			d.look()
			if got := d.after(c.path); !slices.Equal(got, []string{c.want}) {
				t.Errorf("after it was done, a power cut leaves %q", got)
			}
			if points == 0 {
				t.Error("no point was looked at")
			}
		})
	}
}

// What the model is for: without a sync it sees the loss.
func TestPowerCutSeesLoss(t *testing.T) {
	h := newHost(t)
	must(t, os.WriteFile(filepath.Join(h.Root, "old"), []byte("old"), 0o600))
	d := newDisk(t, h, func(*disk) {})
	must(t, os.WriteFile(filepath.Join(h.Root, "temp"), []byte("new!"), 0o600))
	d.look()
	must(t, os.Rename(filepath.Join(h.Root, "temp"), filepath.Join(h.Root, "old")))
	d.look()
	want := []string{"600 ", "600 \x00\x00\x00\x00", "600 ne", "600 new!", "600 old"}
	if got := d.after("/old"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := d.after("/temp"); !slices.Contains(got, "nothing") || !slices.Contains(got, "600 new!") {
		t.Errorf("got %q", got)
	}
}
