package cmd

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
)

// pullMachine is a machine whose container runtime is all that is asked.
type pullMachine struct {
	Machine // nil: what is not below is not to be asked
	runtime *hosttest.Runtime
	// slow are pulls that take time; nil for those that take none.
	slow *slowPulls
	// socket is where the runtime was looked for.
	socket string
}

func (m *pullMachine) Host(string) *host.Host { return &host.Host{Root: "/nowhere"} }

func (m *pullMachine) DetectRuntime(*host.Host) (string, error) { return "unix:///detected.sock", nil }

func (m *pullMachine) Runtime(_ context.Context, _ *host.Host, socket string) (host.Runtime, error) {
	m.socket = socket
	if m.slow != nil {
		return m.slow, nil
	}
	return m.runtime, nil
}

// slowPulls is a runtime whose pulls go on until as many are under way as are expected, or for a moment.
type slowPulls struct {
	*hosttest.Runtime
	expected, now, most int
	mu                  sync.Mutex
}

func (s *slowPulls) PullImage(ctx context.Context, ref string) error {
	count := func(n int) int {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now += n
		s.most = max(s.most, s.now)
		return s.most
	}
	count(1)
	for tries := 0; count(0) < s.expected && tries < 500; tries++ {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond) // so that one too many shows
	count(-1)
	return s.Runtime.PullImage(ctx, ref)
}

func pull(t *testing.T, m *pullMachine, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = Run(t.Context(), Env{Stdout: &out, Stderr: &err, Machine: m}, append([]string{"config", "images", "pull"}, args...))
	return out.String(), err.String(), code
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestImagesPull(t *testing.T) {
	m := &pullMachine{runtime: &hosttest.Runtime{}}
	m.runtime.SetImages("example.com/pause:3.10.2")
	stdout, stderr, code := pull(t, m, "--image-repository", "example.com")
	want := "[config/images] Pulled example.com/kube-apiserver:v1.37.2\n[config/images] Pulled example.com/kube-controller-manager:v1.37.2\n" +
		"[config/images] Pulled example.com/kube-scheduler:v1.37.2\n[config/images] Pulled example.com/kube-proxy:v1.37.2\n" +
		"[config/images] Pulled example.com/coredns:v1.14.6\n[config/images] Already here: example.com/pause:3.10.2\n[config/images] Pulled example.com/etcd:3.7.0-0\n"
	if stdout != want || stderr != "" || code != 0 || m.socket != "unix:///detected.sock" || !m.runtime.Closed() {
		t.Errorf("code %d, socket %s, stdout:\n%sstderr:\n%s", code, m.socket, stdout, stderr)
	}
	if got := m.runtime.Pulled(); len(got) != 6 || slices.Contains(got, "example.com/pause:3.10.2") {
		t.Errorf("pulled %v", got)
	}
}

// Four images at the same time come in any order, and each is told once. Otherwise they come one after the other.
func TestImagesPullAtOnce(t *testing.T) {
	m := &pullMachine{runtime: &hosttest.Runtime{}, slow: &slowPulls{Runtime: &hosttest.Runtime{}, expected: 4}}
	stdout, stderr, code := pull(t, m, "--config", configFile(t, "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"+
		"nodeRegistration:\n  imagePullSerial: false\n  criSocket: unix:///of/the/file.sock\n"))
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	slices.Sort(lines)
	if code != 0 || stderr != "" || len(slices.Compact(lines)) != 7 || m.socket != "unix:///of/the/file.sock" {
		t.Errorf("code %d, socket %s, stdout:\n%sstderr:\n%s", code, m.socket, stdout, stderr)
	}
	one := &pullMachine{slow: &slowPulls{Runtime: &hosttest.Runtime{}, expected: 1}}
	if _, stderr, code := pull(t, one); code != 0 || one.slow.most != 1 || m.slow.most != 4 {
		t.Errorf("code %d, %d and %d at the same time\n%s", code, one.slow.most, m.slow.most, stderr)
	}
}

// An image that can't be had does not keep the others away, and the flag for the socket counts beside a file.
func TestImagesPullFails(t *testing.T) {
	m := &pullMachine{runtime: &hosttest.Runtime{PullErr: map[string]error{
		"registry.k8s.io/kube-scheduler:v1.37.1": &host.LastingError{Err: errors.New("no such manifest")},
	}}}
	file := configFile(t, "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.37.1\netcd: {external: {endpoints: ['http://10.0.0.9:2379']}}\n")
	stdout, stderr, code := pull(t, m, "--config", file, "--cri-socket", "unix:///of/the/flag.sock", "--kubernetes-version", "v1.36.0")
	if code != 1 || strings.Count(stdout, "Pulled") != 5 || strings.Contains(stdout, "etcd") || m.socket != "unix:///of/the/flag.sock" {
		t.Errorf("code %d, socket %s, stdout:\n%s", code, m.socket, stdout)
	}
	for _, want := range []string{"warning: --kubernetes-version does not count beside --config", "error: ", "no such manifest"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
}
