// Package hosttest has a host for tests: a temporary root directory and a container runtime that does what it is told.
package hosttest

import (
	"testing"

	"github.com/kubewright/kubewright/host"
)

// New returns a host whose root is a temporary directory, empty but for /etc, /run and /var/lib.
func New(t testing.TB) *host.Host {
	t.Helper()
	h := &host.Host{Root: t.TempDir()}
	for _, dir := range []string{"/etc", "/run", "/var/lib"} {
		if err := h.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return h
}
