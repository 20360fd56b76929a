package phases

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/etcd/etcdtest"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

const externalEtcd = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
controlPlaneEndpoint: lb.example.org:6443
etcd:
  external:
    endpoints: [https://10.9.0.7:2379]
    caFile: /etc/etcd/ca.pem
    certFile: /etc/etcd/client.pem
    keyFile: /etc/etcd/client-key.pem
`

const stackedEtcd = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
controlPlaneEndpoint: lb.example.org:6443
`

// sharedFiles are what the control planes of a cluster have alike, made once.
func sharedFiles(t *testing.T) map[string]manifests.SharedFile {
	t.Helper()
	first := hosttest.New(t)
	f := facts(t, first, minimal)
	shared := map[string]manifests.SharedFile{
		"/etc/etcd/ca.pem":         {Data: []byte("ca\n"), Mode: 0o644},
		"/etc/etcd/client.pem":     {Data: []byte("client\n"), Mode: 0o644},
		"/etc/etcd/client-key.pem": {Data: []byte("key\n"), Mode: 0o600, Secret: true},
	}
	for _, row := range []string{"ca", "etcd-ca", "front-proxy-ca", "sa"} {
		files, err := f.PKI.Files(row)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			shared[file.Path] = manifests.SharedFile{Data: file.Data, Mode: file.Mode, Secret: file.Secret}
		}
	}
	return shared
}

// joinFacts are those of a machine that joins.
func joinFacts(t *testing.T, h *host.Host, controlPlane bool, shared map[string]manifests.SharedFile, cluster string) *Facts {
	t.Helper()
	f := facts(t, h, minimal+"---\n"+cluster)
	shared = maps.Clone(shared)
	maps.DeleteFunc(shared, func(path string, _ manifests.SharedFile) bool {
		return strings.HasPrefix(path, "/etc/etcd/") != f.Config.ExternalEtcd() && strings.Contains(path, "/etcd/")
	})
	f.Config.Init.NodeRegistration.Name = "n2"
	f.PKI = pki.Plan(pki.Input{Config: f.Config, Now: now, Rand: rand.Reader, Joining: true, Read: func(path string) ([]byte, error) {
		data, err := h.ReadFile(path)
		if file, ok := shared[path]; ok && err != nil {
			return file.Data, nil
		}
		return data, err
	}})
	f.Node = manifests.Node{Config: f.Config, Hash: f.PKI.Hash}
	ca := shared["/etc/kubernetes/pki/ca.crt"].Data
	f.Joining = &Joining{
		ControlPlane: controlPlane, Endpoint: "lb.example.org:6443", CA: ca, CACertPath: "/etc/kubernetes/pki/ca.crt",
		BootstrapKubeconfig: []byte("the bootstrap token is in here\n"), Shared: shared,
	}
	f.AdminKubeconfig = config.KubeletKubeconfig
	if controlPlane {
		f.AdminKubeconfig = config.AdminKubeconfig
	}
	return f
}

// TestGoldenJoins prints the plans of join on an empty machine.
func TestGoldenJoins(t *testing.T) {
	shared := sharedFiles(t)
	for name, test := range map[string]struct {
		controlPlane bool
		cluster      string
	}{
		"join-worker": {false, externalEtcd}, "join-control-plane": {true, externalEtcd}, "join-stacked": {true, stackedEtcd},
	} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.New(t)
			f := joinFacts(t, h, test.controlPlane, shared, test.cluster)
			members := etcdtest.New(t, 1)
			f.Joining.Etcd = func(context.Context) (*etcd.Client, error) {
				return etcd.Open(members.Members[0].ClientURLs, nil, nil, nil)
			}
			p, err := Join().Plan(context.Background(), f)
			if err != nil {
				t.Fatal(err)
			}
			items, err := p.Preview(context.Background(), &plan.Target{Host: h, Systemd: systemdtest.New(), Elsewhere: true})
			if err != nil {
				t.Fatal(err)
			}
			if text := plan.Text(items, plan.TextOptions{Verbose: true}); strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "bootstrap token is in here") {
				t.Error("the printed plan holds a secret")
			}
			checkGolden(t, filepath.Join("testdata", name+".plan"), plan.Text(items, plan.TextOptions{}))
		})
	}
}

// TestCrashAtEveryWriteOfJoin stops join at changes to files, as a crash does, and runs it again: it comes to the end, and
// another run finds nothing to do.
func TestCrashAtEveryWriteOfJoin(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm")
	}
	shared := sharedFiles(t)
	for _, controlPlane := range []bool{false, true} {
		write := func(h *host.Host) (int, error) {
			p, err := Join().Plan(context.Background(), joinFacts(t, h, controlPlane, shared, externalEtcd))
			if err != nil {
				t.Fatalf("a run that stopped left something that the next one refuses: %v", err)
			}
			changes, err := (&plan.Runner{Target: &plan.Target{Host: h}}).Run(context.Background(), p.Files())
			if err == nil && !controlPlane && !h.Exists(config.KubeletKubeconfig) { // as the kubelet does
				err = h.WriteFile(config.KubeletKubeconfig, host.FileSpec{Data: []byte("got it"), Mode: 0o600})
			}
			return changes, err
		}
		ops := 0
		count := hosttest.New(t)
		count.Fault = func(string, string) error { ops++; return nil }
		if _, err := write(count); err != nil || ops < 30 {
			t.Fatalf("%d changes to files, %v", ops, err)
		}
		crashed := errors.New("crash")
		for at := 1; at <= ops; at += 5 {
			h, n := hosttest.New(t), 0
			h.Fault = func(string, string) error {
				if n++; n == at {
					return crashed
				}
				return nil
			}
			if _, err := write(h); !errors.Is(err, crashed) {
				t.Fatalf("change %d: %v", at, err)
			}
			h.Fault = nil
			if _, err := write(h); err != nil {
				t.Fatalf("after a crash at change %d: %v", at, err)
			}
			if changes, err := write(h); err != nil || changes != 0 {
				t.Fatalf("after a crash at change %d, the third run changes %d, %v", at, changes, err)
			}
		}
	}
}
