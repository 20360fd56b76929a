package cmd

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/pki"
)

const certsSecret = "/api/v1/namespaces/kube-system/secrets/kubeadm-certs"

// configuration is what a node of the cluster gets.
func (c *fakeCluster) configuration(t *testing.T, node string) *config.Config {
	t.Helper()
	j := config.NewJoin()
	j.ControlPlane = &config.JoinControlPlane{}
	if err := j.SetDefaults(config.Dynamic{Hostname: node, AdvertiseAddress: "10.9.0.2", CRISocket: "unix:///run/x.sock"}); err != nil {
		t.Fatal(err)
	}
	stored := c.objects["/api/v1/namespaces/kube-system/configmaps/kubeadm-config"].(*corev1.ConfigMap)
	with, err := j.With([]byte(stored.Data["ClusterConfiguration"]), []byte(kubeletConfig), nil)
	if err != nil {
		t.Fatal(err)
	}
	return with
}

// upload puts the shared files into the cluster and returns the key.
func (c *fakeCluster) upload(t *testing.T) string {
	t.Helper()
	key := make([]byte, 32)
	secret, _, err := manifests.CertsSecret(c.configuration(t, "cp1"), func(path string) []byte { return c.pki[path] }, key, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
	c.objects[certsSecret] = secret
	return hex.EncodeToString(key)
}

// controlPlane joins one, and leaves out what needs components that run.
func (c *fakeCluster) controlPlane(key string, more ...string) []string {
	args := c.joins("--control-plane", "--skip-phases", "control-plane-join,wait-control-plane")
	if key != "" {
		args = append(args, "--certificate-key", key)
	}
	return append(args, more...)
}

// TestJoinControlPlane downloads what it needs, whatever lies there of the user's, keeps keys to itself, and asks no more than it
// must when it is run again.
func TestJoinControlPlane(t *testing.T) {
	c := newCluster(t)
	m := newMachine(t, c, "cp2")
	key := c.upload(t)
	m.write(config.AdminKubeconfig, c.kubeconfig(t, m))
	output := joined(t, m, c.controlPlane(key, "-o", "json", "-v", "2")...)
	if strings.Contains(output, "PRIVATE KEY") || strings.Contains(output, tokenSecret) || strings.Contains(output, key) {
		t.Error("a secret was printed")
	}
	if !strings.HasSuffix(output, `"node":"cp2","next":{"kubeconfig":"/etc/kubernetes/admin.conf"}}`+"\n") {
		t.Errorf("the result says neither who joined nor how to go on:\n%s", output)
	}
	for path, want := range c.pki {
		have, err := m.host.ReadFile(path)
		if err != nil || string(have) != string(want) {
			t.Errorf("%s: %v", path, err)
		}
		info, err := m.host.Stat(path)
		if private := strings.Contains(string(want), "PRIVATE KEY"); err != nil || private != (info.Mode.Perm() == 0o600) && path != "/etc/kubernetes/pki/sa.pub" {
			t.Errorf("%s has mode %o, %v", path, info.Mode.Perm(), err)
		}
	}
	if !slices.Contains(c.asked(), "GET "+certsSecret) {
		t.Error("nothing was downloaded")
	}
	if output := joined(t, m, c.controlPlane(key)...); !strings.Contains(output, "Nothing to do") {
		t.Errorf("a second run:\n%s", output)
	}
	if asked := c.asked(); len(asked) != 3 {
		t.Errorf("requests of a second run:\n%s", strings.Join(asked, "\n"))
	}
}

// kubeconfig is an administrator's, brought by the user.
func (c *fakeCluster) kubeconfig(t *testing.T, m *fakeMachine) []byte {
	t.Helper()
	set := pki.Plan(pki.Input{Config: c.configuration(t, m.name), Now: time.Now(), Rand: rand.Reader,
		Read: readFrom(c.pki)})
	files, err := set.Files("admin")
	if err != nil {
		t.Fatal(err)
	}
	return files[0].Data
}

// TestJoinControlPlaneRefusals: nothing is written, and the error says what to do.
func TestJoinControlPlaneRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *fakeCluster, m *fakeMachine)
		noKey  bool
		want   []string
	}{
		"never uploaded": {func(c *fakeCluster, _ *fakeMachine) {
			c.refuse = func(r *http.Request) int {
				if r.URL.Path == certsSecret {
					return 403
				}
				return 0
			}
		}, false, []string{"the cluster does not have it", "kubewright init phase upload-certs --upload-certs"}},
		"expired": {func(c *fakeCluster, _ *fakeMachine) { delete(c.objects, certsSecret) }, false,
			[]string{"it is deleted two hours after the upload", "kubewright init phase upload-certs --upload-certs"}},
		"a foreign CA": {func(_ *fakeCluster, m *fakeMachine) {
			m.write("/etc/kubernetes/pki/ca.crt", certificate(t, "other"))
		}, false, []string{"/etc/kubernetes/pki/ca.crt", "move them away if they are of another cluster"}},
		"a foreign CA, without a key": {func(_ *fakeCluster, m *fakeMachine) {
			m.write("/etc/kubernetes/pki/ca.crt", certificate(t, "other"))
		}, true, []string{"/etc/kubernetes/pki/ca.crt is not the CA of the cluster at"}},
		"nothing brought": {func(*fakeCluster, *fakeMachine) {}, true,
			[]string{"which all control-plane nodes share, are not here", "/etc/kubernetes/pki/sa.key", "--certificate-key"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			m := newMachine(t, c, "cp2")
			key := c.upload(t)
			test.change(c, m)
			if test.noKey {
				key = ""
			}
			refused(t, m, test.want, c.controlPlane(key)...)
			if m.host.Exists("/etc/kubernetes/manifests") || m.host.Exists("/etc/kubernetes/pki/ca.key") {
				t.Error("something was written")
			}
		})
	}
}

// TestJoinBrought: shared files that were copied by hand are used, and the Secret is not read.
func TestJoinBrought(t *testing.T) {
	c := newCluster(t)
	m := newMachine(t, c, "cp2")
	for path, data := range c.pki {
		m.write(path, data)
	}
	joined(t, m, c.controlPlane(c.upload(t))...)
	if slices.Contains(c.asked(), "GET "+certsSecret) {
		t.Error("it downloads what is here")
	}
}

// TestJoinExternalCA: somebody else signs. The kubelet asks the cluster, through its own API server, with the token.
func TestJoinExternalCA(t *testing.T) {
	c := newCluster(t)
	m := newMachine(t, c, "cp2")
	set := pki.Plan(pki.Input{Config: c.configuration(t, m.name), Now: time.Now(), Rand: rand.Reader, Read: readFrom(c.pki)})
	brought := maps.Clone(c.pki)
	for _, row := range []string{"apiserver", "apiserver-kubelet-client", "front-proxy-client", "admin", "controller-manager", "scheduler"} {
		files, err := set.Files(row)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			brought[f.Path] = f.Data
		}
	}
	delete(brought, "/etc/kubernetes/pki/ca.key")
	for path, data := range brought {
		m.write(path, data)
	}
	m.systemd.Started = func(string) {
		data, err := m.host.ReadFile(config.BootstrapKubeletKubeconfig)
		if err != nil || !strings.Contains(string(data), "server: https://10.9.0.2:6443\n") || !strings.Contains(string(data), joinToken) {
			t.Errorf("the kubelet's credentials: %v\n%s", err, data)
		}
		m.credentials(m.name, time.Hour)
	}
	joined(t, m, c.controlPlane("")...)
}
