package preflight

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/systemd"
)

// Machine is what the checks see of a machine. Host must be set. Of the other fields those that are zero are not known, and
// no check complains about what is not known; but a machine without Systemd or Runtime is one where they can't be reached.
type Machine struct {
	// Host is the machine's files, among them those in /proc.
	Host *host.Host
	// Systemd is nil when it can't be reached, and NoSystemd says why.
	Systemd   systemd.Manager
	NoSystemd error
	// Runtime is nil when it can't be reached.
	Runtime host.Runtime
	// OpenRuntime connects to the container runtime at a CRI socket: without a Runtime, its error says why.
	OpenRuntime func(ctx context.Context, socket string) (host.Runtime, error)

	// Downloaded reads files as they will be once those of the cluster were downloaded. Nil means Host.ReadFile.
	Downloaded func(path string) ([]byte, error)

	// UID is the user that we run as; 0 is root.
	UID int
	// CPUs is the number of processors that we may use.
	CPUs int
	// Memory is the size of the main memory in bytes.
	Memory uint64

	// Listen tries to listen on a TCP address, "10.0.0.5:2379" or ":6443".
	Listen func(ctx context.Context, address string) error
	// Look says the same as far as it can be told without listening.
	Look func(ctx context.Context, address string) error
	// Listeners are the processes that listen on a TCP port; empty when they can't be found.
	Listeners func(port int) []Process
	// LookPath finds a program in PATH, as exec.LookPath does.
	LookPath func(program string) (string, error)
	// LookupHost returns the addresses of a name.
	LookupHost func(ctx context.Context, name string) ([]string, error)
	// Proxy returns the HTTP proxy for a request, or nil, as http.ProxyFromEnvironment does.
	Proxy func(*http.Request) (*url.URL, error)
	// KubeletVersion is the version of the kubelet in PATH, "v1.37.2"; the error is exec.ErrNotFound when there is none.
	KubeletVersion func(ctx context.Context) (string, error)
	// VerifySystem looks at the operating system, its kernel and its cgroups. kubeletVersion is "1.37.2", or empty when it
	// is not known.
	VerifySystem func(kubeletVersion string) (warnings, errs []error)
	// InspectSystem is VerifySystem without what touches the machine.
	InspectSystem func(kubeletVersion string) (warnings, errs []error)
	// EtcdVersion asks the etcd at an endpoint, "https://10.0.0.9:2379", for its version, as etcd.ExternalVersion does.
	EtcdVersion func(ctx context.Context, endpoint string, t *tls.Config) (string, error)
}

// LookOnly is the machine for checks that must not touch it: those of a dry run. They listen on no port, and make no directory
// in the cgroup tree.
func (m Machine) LookOnly() Machine {
	m.Listen, m.VerifySystem = m.Look, m.InspectSystem
	return m
}

// Process is a process on the machine.
type Process struct {
	PID int
	// Name is the program's file name, without its directory.
	Name string
}

// String is "etcd (pid 812)".
func (p Process) String() string { return fmt.Sprintf("%s (pid %d)", p.Name, p.PID) }
