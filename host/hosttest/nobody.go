package hosttest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubewright/kubewright/host"
)

// AsNobody calls f as a user who may not read what only its owner may. Tests that are no root's are their user anyway: Close makes
// the difference there.
func AsNobody(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		var err error
		if os.Geteuid() == 0 {
			err = unix.Setfsuid(65534)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// Close keeps the user of AsNobody from reading these files, whose mode must be that of a secret, and lets him look at the rest.
func Close(t testing.TB, h *host.Host, paths ...string) {
	t.Helper()
	if os.Geteuid() != 0 { // the owner may read it, unless it is like this
		for _, path := range paths {
			if err := os.Chmod(h.Root+path, 0); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	// The way to the temporary directory must be open to nobody.
	for dir := filepath.Dir(h.Root); dir != filepath.Clean(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
