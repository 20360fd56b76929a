package cmd

import (
	"context"
	"net/netip"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/network"
	"github.com/kubewright/kubewright/preflight"
	"github.com/kubewright/kubewright/systemd"
)

// Machine is how commands reach the machine that they work on.
type Machine interface {
	// Root says whether we are root.
	Root() bool
	// Chroot makes a directory the root of the whole process, from here on.
	Chroot(root string) error
	// Host is the machine's files, or those below another root.
	Host(root string) *host.Host
	// Systemd connects to systemd.
	Systemd(ctx context.Context) (systemd.Manager, error)
	// Runtime connects to the container runtime.
	Runtime(ctx context.Context, h *host.Host, socket string) (host.Runtime, error)
	// DetectRuntime finds the runtime's socket.
	DetectRuntime(h *host.Host) (string, error)
	// Hostname is the machine's name in lower case.
	Hostname() (string, error)
	// DefaultAddress is the address that other nodes reach this machine at, of the family that is preferred.
	DefaultAddress(ipv6 bool) (string, error)
	// LoopbackAddress is a global address of the loopback interface.
	LoopbackAddress() (string, error)
	// Resolved says whether systemd-resolved runs, so that the kubelet needs the resolv.conf behind it.
	Resolved(ctx context.Context, h *host.Host) bool
	// HasAddress says whether an IP address belongs to this machine.
	HasAddress(address string) bool
	// Network finds what Kubernetes has left in the network of the machine's kernel.
	Network(cni bool) []network.Part
	// Preflight is what the checks look at.
	Preflight(h *host.Host, s systemd.Manager, r host.Runtime) preflight.Machine
}

type realMachine struct {
	// fault is the hook of its hosts: nil but in a program for tests.
	fault func(op, path string) error
}

func (realMachine) Root() bool { return os.Geteuid() == 0 }

func (realMachine) Chroot(root string) error { return host.Chroot(root) }

func (m realMachine) Host(root string) *host.Host { return &host.Host{Root: root, Fault: m.fault} }

func (realMachine) Systemd(ctx context.Context) (systemd.Manager, error) { return systemd.Connect(ctx) }

func (realMachine) Runtime(ctx context.Context, h *host.Host, socket string) (host.Runtime, error) {
	return h.OpenRuntime(ctx, socket)
}

func (realMachine) DetectRuntime(h *host.Host) (string, error) { return h.DetectRuntime() }

func (realMachine) Hostname() (string, error) { return host.Hostname() }

func (realMachine) DefaultAddress(ipv6 bool) (string, error) {
	addr, err := host.DefaultAddress(ipv6)
	return addr.String(), err
}

func (realMachine) LoopbackAddress() (string, error) {
	addr, err := host.LoopbackAddress()
	return addr.String(), err
}

// resolvConf is what systemd-resolved writes for others. It may stay when the service is stopped.
const resolvConf = "/run/systemd/resolve/resolv.conf"

func (realMachine) Resolved(ctx context.Context, h *host.Host) bool {
	if !h.Exists(resolvConf) || h.Root != "/" {
		return h.Exists(resolvConf) // below another root there is nobody to ask
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	m, err := systemd.Connect(ctx)
	if err != nil {
		return true
	}
	defer m.Close()
	u, err := m.Unit(ctx, "systemd-resolved.service")
	return err != nil || u.ActiveState == "active"
}

func (realMachine) HasAddress(address string) bool {
	want, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	has, err := host.HasAddress(want)
	return err == nil && has
}

func (realMachine) Network(cni bool) []network.Part { return network.Parts(cni) }

func (realMachine) Preflight(h *host.Host, s systemd.Manager, r host.Runtime) preflight.Machine {
	return preflight.NewMachine(h, s, r)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
