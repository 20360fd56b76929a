package bed

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// files puts in all files of the machine. It walks them from the host, through the root of the machine's init.
func (i Inventory) files(m *Machine) error {
	skip, err := notWalked(m)
	if err != nil {
		return err
	}
	root := m.Path("/")
	type found struct {
		item       Item
		properties string
	}
	work, results := make(chan string), make(chan found)
	var walkers sync.WaitGroup
	var errs []error // of the walkers
	var mu sync.Mutex
	for range runtime.NumCPU() {
		walkers.Go(func() {
			for path := range work {
				item, properties, err := describe(root, path)
				switch {
				case errors.Is(err, fs.ErrNotExist): // it has gone meanwhile
				case err != nil:
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				default:
					results <- found{item, properties}
				}
			}
		})
	}
	var walked error
	go func() {
		walked = filepath.WalkDir(root+"/", func(path string, d fs.DirEntry, err error) error {
			seen := clean(root, path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case moves(seen) && d.IsDir():
				return fs.SkipDir
			case moves(seen):
				return nil
			}
			work <- path
			if d.IsDir() && skip[seen] {
				return fs.SkipDir
			}
			return nil
		})
		close(work)
		walkers.Wait()
		close(results)
	}()
	for f := range results {
		i[f.item] = f.properties
	}
	return errors.Join(append(errs, walked)...)
}

// notWalked are the mount points below which no files are looked at: pseudo file systems, and roots of containers, whose files are
// in containerd's folder.
func notWalked(m *Machine) (map[string]bool, error) {
	mounts, err := readMounts(m)
	if err != nil {
		return nil, err
	}
	skip := map[string]bool{}
	for _, mount := range mounts {
		if mount.point != "/" && (mount.kind == "overlay" || strings.Contains(" "+strings.Join(pseudo, " ")+" ", " "+mount.kind+" ")) {
			skip[mount.point] = true
		}
	}
	return skip, nil
}

// describe says what is at a path: its type, mode and owner; the target of a link; the size and the content of a file.
func describe(root, path string) (Item, string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Item{}, "", err
	}
	st := info.Sys().(*syscall.Stat_t)
	properties := fmt.Sprintf("mode=%04o owner=%d:%d", st.Mode&0o7777, st.Uid, st.Gid)
	kind := ""
	switch info.Mode().Type() {
	case 0:
		kind = "file"
		sum, err := content(path)
		if errors.Is(err, unix.EINVAL) {
			sum, err = "namespace", nil // a file that a namespace is mounted on has nothing to read
		}
		if err != nil {
			return Item{}, "", err
		}
		properties += fmt.Sprintf(" size=%d content=%s", info.Size(), sum)
	case fs.ModeDir:
		kind = "dir"
	case fs.ModeSymlink:
		kind = "symlink"
		target, err := os.Readlink(path)
		if err != nil {
			return Item{}, "", err
		}
		properties = "target=" + target // its mode says nothing
	case fs.ModeSocket:
		kind = "socket"
	case fs.ModeNamedPipe:
		kind = "fifo"
	default:
		kind = "device"
		properties += fmt.Sprintf(" number=%x", st.Rdev)
	}
	return Item{kind, clean(root, path)}, properties, nil
}

// content is a hash of what is in a file.
func content(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}
