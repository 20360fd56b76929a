package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// makeDurable writes to the disk where these links lie, which systemd has made or removed and leaves to the kernel: after a power
// cut the kubelet would not start at boot. The directory of a link may be new, too, or gone.
func (m *manager) makeDurable(links []string) error {
	done := map[string]bool{}
	for _, link := range links {
		for _, dir := range []string{filepath.Dir(link), filepath.Dir(filepath.Dir(link))} {
			if done[dir] {
				continue
			}
			done[dir] = true
			if err := m.syncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("cannot write %s to the disk: %w", dir, err)
			}
		}
	}
	return nil
}

// syncDirectory makes the entries of a directory durable.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil // some file systems can't, and have nothing to make durable
	}
	return err
}
