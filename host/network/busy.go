package network

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// patience is how long something may stay in use by rules that are gone: the kernel lets go of what they named a little later.
const patience = 3 * time.Second

// whileBusy does something again while it fails with that error, for a while. When the time that there is for all ends in the
// middle of a try, the error is that of the one before: it says what is in the way.
func whileBusy(ctx context.Context, busy error, do func() error) error {
	var before error
	for end := time.Now().Add(patience); ; {
		err := do()
		if before != nil && err != nil && (ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded)) {
			return before
		}
		if !errors.Is(err, busy) || time.Now().After(end) {
			return err
		}
		before = err
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// loaded says whether the kernel may have a module: a question to one that is not loaded would load it. Kernels that can't load
// modules have in them what they have, and show not all of that.
func loaded(module string) bool {
	if _, err := os.Stat(filepath.Join("/sys/module", module)); err == nil {
		return true
	}
	_, err := os.Stat("/proc/modules")
	return errors.Is(err, fs.ErrNotExist)
}
