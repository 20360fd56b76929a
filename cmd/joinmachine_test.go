package cmd

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd/etcdtest"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/host/network"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/preflight"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// ownAddress is that of the machine.
const ownAddress = "10.9.0.2"

// fakeMachine is a machine with systemd, and a kubelet that joins when it is started.
type fakeMachine struct {
	Machine // nil: what is not below is not to be asked
	t       *testing.T
	name    string
	host    *host.Host
	systemd *systemdtest.Fake
	runtime *hosttest.Runtime
	cluster *fakeCluster
	// etcd is that of the cluster; nil where it is not talked to.
	etcd *etcdtest.Fake
	// reaper may kill the run; nil for the others.
	reaper *reaper
	// noSystemd and noRuntime are why they can't be reached.
	noSystemd, noRuntime error
	// notRoot is a user who may not change the machine.
	notRoot bool
	// sleepy is a kubelet that does nothing.
	sleepy bool
	// pods are what a kubelet with manifests runs; nil where no test asks the components.
	pods *staticPods
	// stop ends the kubelet that runs.
	mu    sync.Mutex
	stop  context.CancelFunc
	loops sync.WaitGroup
	// program is the name that the user calls.
	program Program
	// answers is what the user types.
	answers string
	done    sync.WaitGroup
}

func newMachine(t *testing.T, c *fakeCluster, name string) *fakeMachine {
	t.Helper()
	m := &fakeMachine{t: t, name: name, stop: func() {}, host: hosttest.New(t), systemd: systemdtest.New(), runtime: &hosttest.Runtime{}, cluster: c}
	m.systemd.Root = m.host.Root
	m.systemd.Started = func(string) {
		m.stopKubelet()
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		m.mu.Lock()
		defer m.mu.Unlock()
		m.stop = cancel
		if m.pods != nil {
			m.loops.Go(func() { m.watchManifests(ctx) })
			return
		}
		m.done.Go(m.kubelet)
	}
	m.systemd.Stopped = func(string) { m.stopKubelet() }
	t.Cleanup(m.done.Wait)
	t.Cleanup(m.stopKubelet)
	return m
}

// stopKubelet ends it; what it has started goes on.
func (m *fakeMachine) stopKubelet() {
	m.mu.Lock()
	m.stop()
	m.mu.Unlock()
	m.loops.Wait()
}

// Host is the machine for one run: the next one knows nothing of it.
func (m *fakeMachine) Host(string) *host.Host {
	return &host.Host{Root: m.host.Root, Fault: m.fault(), Unmounter: m.host.Unmounter, Killer: m.host.Killer, Dialer: m.dial}
}

func (m *fakeMachine) Root() bool { return !m.notRoot }
func (m *fakeMachine) Systemd(context.Context) (systemd.Manager, error) {
	if m.noSystemd != nil {
		return nil, m.noSystemd
	}
	if m.reaper != nil {
		return reapedSystemd{m.systemd, m.reaper}, nil
	}
	return m.systemd, nil
}
func (m *fakeMachine) Runtime(context.Context, *host.Host, string) (host.Runtime, error) {
	if m.noRuntime != nil {
		return nil, m.noRuntime
	}
	r := host.Runtime(m.runtime)
	if m.pods != nil {
		r = podRuntime{m.runtime, m}
	}
	if m.reaper != nil {
		r = reapedRuntime{r, m.reaper}
	}
	return r, nil
}
func (m *fakeMachine) DetectRuntime(*host.Host) (string, error) {
	return "unix:///run/containerd/containerd.sock", nil
}
func (m *fakeMachine) Hostname() (string, error)                 { return m.name, nil }
func (m *fakeMachine) DefaultAddress(bool) (string, error)       { return ownAddress, nil }
func (m *fakeMachine) Resolved(context.Context, *host.Host) bool { return false }
func (m *fakeMachine) HasAddress(string) bool                    { return true }
func (m *fakeMachine) Network(bool) []network.Part               { return nil }
func (m *fakeMachine) Preflight(h *host.Host, s systemd.Manager, r host.Runtime) preflight.Machine {
	p := preflight.Machine{Host: h, Systemd: s, Runtime: r}
	if s == nil {
		return p
	}
	// Its kubelet listens as a real one does; the components do so elsewhere.
	p.Listeners = func(port int) []preflight.Process {
		u, err := s.Unit(m.t.Context(), config.KubeletService)
		if err != nil || u.ActiveState != "active" || port != 10250 {
			return nil
		}
		return []preflight.Process{{PID: int(u.MainPID), Name: "kubelet"}}
	}
	p.Listen = func(_ context.Context, address string) error {
		if strings.HasSuffix(address, ":10250") && len(p.Listeners(10250)) > 0 {
			return syscall.EADDRINUSE
		}
		return nil
	}
	return p
}

// kubelet gets its certificate, and registers.
func (m *fakeMachine) kubelet() {
	if m.sleepy {
		return
	}
	data, err := m.host.ReadFile(config.BootstrapKubeletKubeconfig)
	if err == nil && strings.Contains(string(data), joinToken) && !m.host.Exists(config.KubeletKubeconfig) {
		m.credentials(m.name, time.Hour)
	}
	m.cluster.register(m.name, corev1.ConditionFalse)
}

// credentials writes the kubelet's.
func (m *fakeMachine) credentials(node string, life time.Duration) {
	m.t.Helper()
	cert, key := m.cluster.issue(m.t, cluster.NodeUser+node, life)
	kc := clientcmdapi.NewConfig()
	kc.CurrentContext = "c"
	kc.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	kc.Clusters["c"] = &clientcmdapi.Cluster{Server: m.cluster.URL, CertificateAuthorityData: m.cluster.pki["/etc/kubernetes/pki/ca.crt"]}
	kc.AuthInfos["u"] = &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	data, err := clientcmd.Write(*kc)
	if err != nil {
		m.t.Fatal(err)
	}
	m.write(config.KubeletKubeconfig, data)
}

// write is the work of others: a fault of the host is none of theirs.
func (m *fakeMachine) write(path string, data []byte) {
	m.t.Helper()
	h := &host.Host{Root: m.host.Root}
	if err := h.MkdirAll(path[:strings.LastIndex(path, "/")], 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := h.WriteFile(path, host.FileSpec{Data: data, Mode: 0o600}); err != nil {
		m.t.Fatal(err)
	}
}

// run runs a command line on the machine.
func (m *fakeMachine) run(args ...string) (code int, stdout, stderr string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	return m.runFor(ctx, args...)
}

// runFor runs a command line until ctx ends, as by Ctrl-C.
func (m *fakeMachine) runFor(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = Run(ctx, Env{Program: m.program, Stdin: strings.NewReader(m.answers), Stdout: &out, Stderr: &err, Machine: m}, args)
	return code, out.String(), err.String()
}

// joins are the arguments of a join by token.
func (c *fakeCluster) joins(more ...string) []string {
	pins, err := pki.CAHashes(c.pki["/etc/kubernetes/pki/ca.crt"])
	if err != nil {
		panic(err)
	}
	return append([]string{"join", c.endpoint(), "--token", joinToken, "--discovery-token-ca-cert-hash", pins[0],
		"--ignore-preflight-errors", "all"}, more...)
}
