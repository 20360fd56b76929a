// Package host is the machine: a root directory, durable and atomic files, the container runtime, the clock and the lock.
// With systemd, cluster and etcd it is the only place that touches the world.
package host

import "time"

// Host is one machine, seen under a root directory. Every path given to its methods is absolute as the machine sees it;
// Host puts Root in front.
type Host struct {
	// Root is "/" for the machine itself, or a directory to render into.
	Root string
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}
