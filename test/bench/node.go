package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/kubewright/kubewright/cmd"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/host/network"
	"github.com/kubewright/kubewright/preflight"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
	"github.com/kubewright/kubewright/test/bed"
)

// node is a machine that is a folder, with a stand-in for the kubelet, and the product's own code for everything else. Many of
// them join in one process.
type node struct {
	name    string
	host    *host.Host
	systemd *systemdtest.Fake
	// health is the address of this node's kubelet for its /healthz, another one of loopback than the other nodes'.
	health netip.Addr
	// patches is the folder of the patch that tells the kubelet so.
	patches string
	ctx     context.Context // ends the kubelet
	running sync.WaitGroup
	mu      sync.Mutex
	trouble []string // of the stand-in, which is no fault of the product
}

var _ cmd.Machine = (*node)(nil)

// firstHealth begins the addresses of the kubelets. All of 127.0.0.0/8 belongs to every Linux machine.
var firstHealth = netip.MustParseAddr("127.7.0.0")

// newNode makes the n-th node of a run below dir.
func newNode(ctx context.Context, dir, name string, n int) (*node, error) {
	address := firstHealth.As4()
	address[2], address[3] = byte(n/250), byte(n%250+1)
	m := &node{
		name: name, host: &host.Host{Root: filepath.Join(dir, "root")}, systemd: systemdtest.New(),
		health: netip.AddrFrom4(address), patches: filepath.Join(dir, "patches"), ctx: ctx,
	}
	m.systemd.Root = m.host.Root
	m.systemd.Started = func(unit string) {
		if unit == config.KubeletService {
			m.running.Go(m.kubelet)
		}
	}
	for path, text := range map[string]string{
		"root/proc/sys/kernel/random/boot_id": string(uuid.NewUUID()) + "\n",
		"root/proc/sys/net/ipv4/ip_forward":   "1\n",
		"root/etc/machine-id":                 strings.ReplaceAll(string(uuid.NewUUID()), "-", "") + "\n",
		"patches/kubeletconfiguration.yaml":   "healthzBindAddress: " + m.health.String() + "\n",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	for _, dir := range []string{"root/run", "root/var/lib"} {
		if err := os.MkdirAll(filepath.Join(filepath.Dir(m.host.Root), dir), 0o755); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// join runs the product's join, and returns how long it took.
func (m *node) join(ctx context.Context, args []string) (time.Duration, error) {
	var said bytes.Buffer
	began := time.Now()
	code := cmd.Run(ctx, cmd.Env{Stdin: strings.NewReader(""), Stdout: &said, Stderr: &said, Machine: m},
		append([]string{"join", "--patches", m.patches}, args...))
	took := time.Since(began)
	if code == 0 {
		return took, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return took, fmt.Errorf("%s: exit code %d after %s\n%s%s", m.name, code, took.Round(time.Millisecond), &said, strings.Join(m.trouble, "\n"))
}

func (m *node) note(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble = append(m.trouble, "the stand-in for the kubelet: "+err.Error())
}

func (m *node) Root() bool                                       { return true }
func (m *node) Chroot(string) error                              { return errors.ErrUnsupported }
func (m *node) Host(string) *host.Host                           { return m.host }
func (m *node) Systemd(context.Context) (systemd.Manager, error) { return m.systemd, nil }
func (m *node) Runtime(context.Context, *host.Host, string) (host.Runtime, error) {
	return &hosttest.Runtime{Driver: "systemd"}, nil
}
func (m *node) DetectRuntime(*host.Host) (string, error)  { return host.DefaultRuntime, nil }
func (m *node) Hostname() (string, error)                 { return m.name, nil }
func (m *node) DefaultAddress(bool) (string, error)       { return m.health.String(), nil }
func (m *node) LoopbackAddress() (string, error)          { return m.health.String(), nil }
func (m *node) Resolved(context.Context, *host.Host) bool { return false }
func (m *node) HasAddress(address string) bool            { return address == m.health.String() }
func (m *node) Network(bool) []network.Part               { return nil } // the kernel's is this machine's
func (m *node) Preflight(h *host.Host, s systemd.Manager, r host.Runtime) preflight.Machine {
	return preflight.Machine{
		Host: h, Systemd: s, Runtime: r,
		LookPath:       func(program string) (string, error) { return "/usr/bin/" + program, nil },
		KubeletVersion: func(context.Context) (string, error) { return bed.KubernetesVersion, nil },
	}
}
