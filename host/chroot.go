package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Chroot makes dir the root of the whole process, and its working directory, from here on. That takes root.
func Chroot(dir string) error {
	err := unix.Chroot(dir)
	if err == nil {
		err = os.Chdir("/")
	}
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: it takes root", err)
	}
	if err != nil {
		return fmt.Errorf("cannot make %s the root of all files: %w", dir, err)
	}
	return nil
}
