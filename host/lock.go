package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const lockPath = "/run/kubewright.lock"

// Lock makes sure that only one kubewright changes this machine. It does not wait: when another process holds the lock, the
// error says which, since when, and what to do. The kernel frees the lock when its holder ends, however it ends, so there are
// no stale locks; the file itself stays, and when its holder was killed, what that has written is made durable first.
// The file is /run/kubewright.lock: /run/lock is open to all, and who has made or opened a file there can keep others out.
// Below a root directory without /run the directory itself is locked; then the holder can't be named.
func (h *Host) Lock(ctx context.Context, command string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("cannot lock this machine: %w", err)
	}
	err = h.fault("lock", lockPath)
	var f *os.File
	if err == nil {
		f, err = h.openLock()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock this machine with %s: %w", lockPath, h.why(lockPath, err))
	}
	err = flock(f)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = lockedError{busy(f)}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock this machine: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() && info.Size() > 0 { // its holder was killed
		err = h.settle()
	}
	if err == nil && info.Mode().IsRegular() {
		err = writeHolder(f, fmt.Sprintf("%d\n%s\n%s\n", os.Getpid(), h.Time().UTC().Format(time.RFC3339), oneLine(command)))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock this machine with %s: %w", lockPath, h.why(lockPath, err))
	}
	return func() {
		if info.Mode().IsRegular() {
			_ = f.Truncate(0) // what is left there has no meaning without the lock
		}
		// A child that this process starts at this moment has the file open, too, until it runs its own program.
		_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
		f.Close()
	}, nil
}

func (h *Host) openLock() (*os.File, error) {
	p, err := h.at(lockPath, false)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	f, err := p.OpenFile(p.full(), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return h.open("/")
	}
	return f, err
}

func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// ErrLocked is the error of Lock when another process holds the lock.
var ErrLocked = errors.New("another process holds the lock")

// lockedError is one that names it.
type lockedError struct{ error }

func (lockedError) Is(target error) bool { return target == ErrLocked }

// busy describes the process that holds the lock.
func busy(f *os.File) error {
	data, _ := io.ReadAll(io.LimitReader(f, 4096))
	lines := strings.Split(string(data), "\n")
	if len(lines) < 3 {
		return fmt.Errorf("another kubewright holds the lock\nwait until it has ended")
	}
	return fmt.Errorf("%s (pid %s) runs since %s\nwait until it has ended, or end it with: kill %s", lines[2], lines[0], lines[1], lines[0])
}

func writeHolder(f *os.File, text string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
