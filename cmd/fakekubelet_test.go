package cmd

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
)

// component is what answers at an address while its pod, or the kubelet, runs.
type component struct {
	*httptest.Server
	door *door
}

// door is a listener that drops who comes while it is shut.
type door struct {
	net.Listener
	open atomic.Bool
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil || d.open.Load() {
			return conn, err
		}
		conn.Close()
	}
}

// newComponent has an address on loopback; nobody answers there before it runs. Without a TLS configuration it speaks plain HTTP.
func newComponent(t *testing.T, handler http.HandlerFunc, secure *tls.Config) *component {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	c := &component{Server: s, door: &door{Listener: s.Listener}}
	s.Listener = c.door
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if s.TLS = secure; secure != nil {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return c
}

// port is where it listens.
func (c *component) port() int { return c.Listener.Addr().(*net.TCPAddr).Port }

// runs opens or shuts its door.
func (c *component) runs(now bool) {
	if c.door.open.Swap(now) && !now {
		c.CloseClientConnections()
	}
}

// staticPods are the components that the machine's kubelet starts, by the names of their manifests.
type staticPods struct {
	parts   map[string]*component
	kubelet *component
	// boot reads what the API server reads when it starts.
	boot func(read func(string) ([]byte, error)) error
	// running is the manifest of which a pod was made, by component.
	running map[string][sha256.Size]byte
	// seen is when the directory was changed that the pods are of.
	seen time.Time
}

// runsPods gives the machine components that answer once the kubelet has started them. Each is asked where the machine's
// configuration says.
func (m *fakeMachine) runsPods(api http.HandlerFunc, boot func(read func(string) ([]byte, error)) error) *staticPods {
	m.t.Helper()
	healthy := func(http.ResponseWriter, *http.Request) {}
	m.pods = &staticPods{
		boot: boot, running: map[string][sha256.Size]byte{},
		kubelet: newComponent(m.t, healthy, nil),
		parts: map[string]*component{
			config.Etcd:              nil,
			config.APIServer:         newComponent(m.t, api, &tls.Config{GetConfigForClient: m.serving}),
			config.ControllerManager: newComponent(m.t, healthy, &tls.Config{}),
			config.Scheduler:         newComponent(m.t, healthy, &tls.Config{}),
		},
	}
	return m.pods
}

// serving is how the API server of the machine proves who it is.
func (m *fakeMachine) serving(*tls.ClientHelloInfo) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(m.host.Root+"/etc/kubernetes/pki/apiserver.crt", m.host.Root+"/etc/kubernetes/pki/apiserver.key")
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}, err
}

// settings are the parts of a configuration that say where the components answer.
func (p *staticPods) settings() (cluster, kubelet string) {
	at := func(field, component string) string {
		return fmt.Sprintf("%s: {extraArgs: [{name: secure-port, value: '%d'}]}\n", field, p.parts[component].port())
	}
	cluster = "apiServer: {extraArgs: [{name: bind-address, value: 127.0.0.1}]}\n" +
		at("controllerManager", config.ControllerManager) + at("scheduler", config.Scheduler)
	return cluster, fmt.Sprintf("healthzPort: %d\n", p.kubelet.port())
}

// dial reaches the machine's own components at the addresses that its API server announces and that its manifests name.
func (m *fakeMachine) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && m.pods != nil {
		component := map[string]string{"2381": config.Etcd, "10257": config.ControllerManager, "10259": config.Scheduler}[port]
		if host == ownAddress {
			component = config.APIServer
		}
		if part := m.pods.parts[component]; part != nil {
			address = part.Listener.Addr().String()
		}
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// every is how often the kubelet looks at its manifests.
const every = 5 * time.Millisecond

// watchManifests keeps the pods as the manifests are, and registers the node once the API server runs, until the kubelet is stopped.
// Pods go on without it.
func (m *fakeMachine) watchManifests(ctx context.Context) {
	p, registered := m.pods, false
	p.seen = time.Time{}
	p.kubelet.runs(true)
	defer p.kubelet.runs(false)
	for ctx.Err() == nil {
		// A change within the same tick of the clock of files does not show.
		info, err := os.Stat(m.host.Root + config.ManifestsDir)
		if changed := err == nil && !info.ModTime().Equal(p.seen); changed || err != nil && !p.seen.IsZero() {
			m.startPods()
			p.seen = time.Time{}
			if err == nil && time.Since(info.ModTime()) > 50*time.Millisecond {
				p.seen = info.ModTime()
			}
		}
		if p.parts[config.APIServer].door.open.Load() && !registered {
			m.cluster.register(m.name, corev1.ConditionFalse)
			registered = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// startPods makes a pod of each manifest that has none, and ends those whose manifest is gone or changed.
func (m *fakeMachine) startPods() {
	pods, err := m.runtime.StaticPods(m.t.Context())
	if err != nil {
		return
	}
	containers, _ := m.runtime.Containers(m.t.Context())
	var ended, started []string
	for _, name := range []string{config.Etcd, config.APIServer, config.ControllerManager, config.Scheduler} { // as they need each other
		manifest, err := os.ReadFile(filepath.Join(m.host.Root, config.ManifestsDir, name+".yaml"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		pod := name + "-" + m.name
		sum := sha256.Sum256(manifest)
		there := slices.ContainsFunc(pods, func(p host.Pod) bool { return p.Name == pod })
		if there && err == nil && sum == m.pods.running[name] || !there && err != nil {
			continue
		}
		ended = append(ended, name)
		pods = slices.DeleteFunc(pods, func(p host.Pod) bool { return p.Name == pod })
		containers = slices.DeleteFunc(containers, func(c host.Container) bool { return c.PodName == pod })
		if err != nil {
			continue
		}
		m.pods.running[name] = sum
		now := time.Now().UnixNano()
		pods = append(pods, host.Pod{ID: fmt.Sprint(pod, now), Name: pod, CreatedAt: now})
		containers = append(containers, host.Container{ID: fmt.Sprint(name, now), Name: name, PodName: pod, Namespace: "kube-system",
			Running: true, StartedAt: now, PodCreatedAt: now})
		started = append(started, name)
	}
	if ended == nil {
		return
	}
	for _, name := range ended {
		m.runPart(name, false)
	}
	m.runtime.SetContainers(containers...)
	m.runtime.SetStaticPods(pods...)
	for _, name := range started {
		m.runPart(name, true)
	}
}

// podRuntime ends what answers for a component with its pod.
type podRuntime struct {
	*hosttest.Runtime
	m *fakeMachine
}

func (r podRuntime) RemovePod(ctx context.Context, id string) error {
	pods, err := r.StaticPods(ctx)
	if err == nil {
		err = r.Runtime.RemovePod(ctx, id)
	}
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if pod.ID == id {
			r.m.runPart(strings.TrimSuffix(pod.Name, "-"+r.m.name), false)
		}
	}
	return nil
}

// runPart starts or ends what answers for a component.
func (m *fakeMachine) runPart(name string, now bool) {
	part := m.pods.parts[name]
	if part == nil {
		return
	}
	if name == config.APIServer && now {
		if err := m.pods.boot((&host.Host{Root: m.host.Root}).ReadFile); err != nil {
			return // it ends at once
		}
	}
	part.runs(now)
}
