package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// settled are the directories whose file systems hold what a run writes.
var settled = [...]string{"/etc", "/etc/kubernetes", "/etc/systemd/system", "/var/lib", "/var/lib/kubelet", "/var/lib/etcd"}

// settle makes durable what a run that was killed has left in the kernel's memory. The next run finds it right, so that it would
// not write it again, and it would count on it.
func (h *Host) settle() error {
	done := map[uint64]bool{}
	for _, dir := range settled {
		d, err := h.open(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = h.settleFileSystem(d, done)
			d.Close()
		}
		if err != nil {
			return fmt.Errorf("cannot save what a run that was killed has written to %s: %w", dir, cause(err))
		}
	}
	return nil
}

func (h *Host) settleFileSystem(d *os.File, done map[uint64]bool) error {
	info, err := d.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		if done[st.Dev] {
			return nil
		}
		done[st.Dev] = true
	}
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return err
	}
	if h.synced != nil {
		h.synced(d)
	}
	return nil
}
