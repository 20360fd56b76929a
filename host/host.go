// Package host is the machine: a root directory, durable and atomic files, the container runtime, the clock and the lock.
// With systemd, cluster and etcd it is the only place that touches the world.
package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// Host is one machine, seen under a root directory. Every path given to its methods is absolute as the machine sees it;
// Host puts Root in front. Its methods may be called from several goroutines.
type Host struct {
	// Root is "/" for the machine itself, or a directory to render into. Below such a directory symbolic links mean what
	// they would mean after a chroot, so that none leads out of it. Empty is an error, not "/".
	Root string
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Fault is a hook for tests, called before each change to a file. A syscall.Errno that it returns is the kernel's answer, and
	// Short one that comes in the middle: the method fails as it does in life. At any other error it stops right there and leaves
	// everything as a crash would leave it. The ops: "lock", "create" (the temporary file or link), "write", "sync", "rename",
	// "syncdir", "mkdir", "remove", "append", "access". The path is the one that the caller gave (for "mkdir": the directory that is
	// made; for "remove" in a tree: what is removed next).
	Fault func(op, path string) error
	// Unmounter is a hook for tests, called by Unmount in place of the kernel's umount2(2). Nil means the kernel, and below
	// another root than "/" an error.
	Unmounter func(path string, flags int) error
	// Killer is a hook for tests, called by KillCgroup to end a process in place of the kernel. Nil means the kernel, and below
	// another root than "/" an error.
	Killer func(pid int) error
	// Dialer is a hook for tests, called to connect to an API server in place of the kernel. Nil means the kernel.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)

	// synced is a hook for the tests of this package, called when something has become durable.
	synced func(f *os.File)

	left leftovers
}

// Time is the host's clock.
func (h *Host) Time() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}

// OwnsFiles says whether this process can give files to other users, which takes root. When it can't, for example when a
// user renders into a directory, owners are neither set nor to be compared.
func (h *Host) OwnsFiles() bool { return os.Geteuid() == 0 }

// Hostname returns the name of this machine as a node name: trimmed and in lower case, as kubeadm and the kubelet do.
func Hostname() (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("cannot read the hostname: %w", err)
	}
	if name = nodeName(name); name == "" {
		return "", fmt.Errorf("cannot use the hostname as node name: it is empty\nset nodeRegistration.name, or --node-name")
	}
	return name, nil
}

func nodeName(hostname string) string { return strings.ToLower(strings.TrimSpace(hostname)) }
