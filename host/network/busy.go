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

// whileBusy does something again while it fails with that error, for a while.
func whileBusy(ctx context.Context, busy error, do func() error) error {
	for end := time.Now().Add(patience); ; {
		err := do()
		if !errors.Is(err, busy) || time.Now().After(end) {
			return err
		}
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
