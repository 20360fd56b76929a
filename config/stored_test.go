package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

const storedFolder = "testdata/join-with"

// storedTexts are the documents of one folder; an empty text for those that are not there.
func storedTexts(t *testing.T, folder string) (cluster, kubelet, proxy string) {
	t.Helper()
	folder = filepath.Join(storedFolder, folder)
	if found, _ := filepath.Glob(folder + "/kube-proxy.yaml"); found != nil {
		proxy = readFile(t, found[0])
	}
	return readFile(t, folder+"/kubeadm-config.yaml"), readFile(t, folder+"/kubelet-config.yaml"), proxy
}

// joining is a worker or a control-plane node that says nothing but how to find the cluster.
func joining(t *testing.T, controlPlane bool) *Join {
	t.Helper()
	j := NewJoin()
	j.Discovery.File = &FileDiscovery{KubeConfigPath: "discovery.conf"}
	if controlPlane {
		j.ControlPlane = &JoinControlPlane{CertificateKey: strings.Repeat("0123456789abcdef", 4)}
	}
	j.Patches, j.SkipPhases, j.DryRun = &Patches{Directory: "/etc/patches"}, []string{"preflight"}, true
	if err := j.SetDefaults(machine()); err != nil {
		t.Fatal(err)
	}
	if err := j.Validate(); err != nil {
		t.Fatal(err)
	}
	return j
}

// Every folder of testdata/join-with is what a cluster keeps, some of it written by kubeadm; beside it is the configuration
// of a machine that joins.
func TestWith(t *testing.T) {
	for _, folder := range []string{"kubeadm-1.36", "dual-stack", "own"} {
		for name, controlPlane := range map[string]bool{"worker": false, "control-plane": true} {
			t.Run(folder+"/"+name, func(t *testing.T) {
				cluster, kubelet, proxy := storedTexts(t, folder)
				c, err := joining(t, controlPlane).With([]byte(cluster), []byte(kubelet), []byte(proxy))
				if err != nil {
					t.Fatal(err)
				}
				out, err := c.InitYAML()
				if err != nil {
					t.Fatal(err)
				}
				golden(t, "join-with/"+folder+"/"+name+".golden", append([]byte("# warnings: "+strings.Join(c.Warnings, "\n#   ")+"\n"), out...))
				if !c.KubeletGiven || !c.ProxyGiven || len(c.Init.BootstrapTokens) != 0 || c.Init.NodeRegistration.Taints == nil {
					t.Error("documents are taken for generated ones, a token was made, or a worker would get the control plane's taint")
				}
			})
		}
	}
}

// What kubeadm stored comes out as it went in, byte by byte; only of kube-proxy's text it cuts the last newline.
func TestWithKeepsWhatIsStored(t *testing.T) {
	for _, folder := range []string{"kubeadm-1.36", "dual-stack"} {
		cluster, kubelet, proxy := storedTexts(t, folder)
		c, err := joining(t, false).With([]byte(cluster), []byte(kubelet), []byte(proxy))
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range []struct {
			want   string
			encode func() ([]byte, error)
		}{{cluster, c.ClusterYAML}, {kubelet, c.KubeletYAML}, {proxy, c.ProxyYAML}} {
			got, err := doc.encode()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSuffix(doc.want, "\n"), strings.TrimSuffix(string(got), "\n")); diff != "" {
				t.Errorf("%s (-stored +read):\n%s", folder, diff)
			}
		}
		if len(c.Warnings) != 0 {
			t.Errorf("%s: warnings %q", folder, c.Warnings)
		}
	}
}

// What is the machine's own comes on top of what is stored.
func TestWithNode(t *testing.T) {
	cluster, kubelet, proxy := storedTexts(t, "kubeadm-1.36")
	j := joining(t, false)
	j.SystemdResolved = true
	j.NodeRegistration.Taints = []corev1.Taint{{Key: "own", Effect: corev1.TaintEffectNoSchedule}}
	c, err := j.With([]byte(cluster), []byte(kubelet), []byte(proxy))
	if err != nil {
		t.Fatal(err)
	}
	want := c.Kubelet.DeepCopy()
	resolv := systemdResolvConf
	want.ResolverConfig, want.ContainerRuntimeEndpoint = &resolv, machine().CRISocket
	if diff := cmp.Diff(want, c.NodeKubelet()); diff != "" {
		t.Errorf("kubelet (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(j.NodeRegistration, c.Init.NodeRegistration); diff != "" {
		t.Errorf("registration (-want +got):\n%s", diff)
	}
	if j.NodeRegistration.Taints = nil; c.Init.NodeRegistration.Taints == nil {
		t.Error("the configuration changes with the join")
	}
}

func TestWithEndpoint(t *testing.T) {
	cluster, kubelet, _ := storedTexts(t, "own")
	j := joining(t, true)
	j.ControlPlane.LocalAPIEndpoint.BindPort = 8443
	for name, tt := range map[string]struct {
		join *Join
		want string
	}{"worker": {joining(t, false), "https://api.example.com:6443"}, "control plane": {j, "https://api.example.com:8443"}} {
		c, err := tt.join.With([]byte(cluster), []byte(kubelet), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ControlPlaneURL(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
