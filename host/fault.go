package host

import (
	"errors"
	"os"
	"syscall"
)

// Short is an error of the Fault hook: the file system takes this many bytes of what is written, and is full then. For ops that
// write nothing it is ENOSPC.
type Short int

func (s Short) Error() string { return syscall.ENOSPC.Error() }

// Unwrap makes it ENOSPC.
func (s Short) Unwrap() error { return syscall.ENOSPC }

// fault asks the Fault hook.
func (h *Host) fault(op, path string) error {
	if h.Fault == nil {
		return nil
	}
	err := h.Fault(op, path)
	switch err.(type) {
	case nil, syscall.Errno, Short:
		return err
	}
	return &crash{err}
}

// crash marks an error of the Fault hook that is no error of the kernel: a machine that crashed cleans nothing up either.
type crash struct{ error }

func (c *crash) Unwrap() error { return c.error }

func crashed(err error) bool { return errors.As(err, new(*crash)) }

// put writes to an open file, as far as a fault lets it.
func put(f *os.File, data []byte, fault error) error {
	short, partly := fault.(Short)
	if fault != nil && !partly {
		return fault
	}
	if partly {
		data = data[:min(int(short), len(data))]
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return errors.Unwrap(fault) // what Short stands for
}
