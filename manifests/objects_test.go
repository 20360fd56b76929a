package manifests

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kubewright/kubewright/config"
)

// Objects are applied by a client that only knows what they say of themselves: apiVersion, kind, name, and namespace.
func TestObjectsSayWhatTheyAre(t *testing.T) {
	n := Node{Config: load(t, "testdata/cases/defaults/config.yaml")}
	list := allObjects(t, n, Patched{})
	secret, others, err := CertsSecret(n.Config, contents(), certKey, now, fixed())
	if err != nil {
		t.Fatal(err)
	}
	list = append(append(list, secret), others...)
	list = append(list, Etcd(n), APIServer(n), ControllerManager(n), Scheduler(n))
	seen := map[string]bool{}
	for _, o := range list {
		kinds, _, err := scheme.Scheme.ObjectKinds(o)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.GetObjectKind().GroupVersionKind(); got != kinds[0] {
			t.Errorf("%T says that it is a %v, want %v", o, got, kinds[0])
		}
		m, err := meta.Accessor(o)
		if err != nil || m.GetName() == "" {
			t.Fatalf("%T has no name: %v", o, err)
		}
		if cluster := strings.HasPrefix(kinds[0].Kind, "Cluster"); cluster != (m.GetNamespace() == "") {
			t.Errorf("%s %s is in namespace %q", kinds[0].Kind, m.GetName(), m.GetNamespace())
		}
		key := kinds[0].Kind + m.GetNamespace() + "/" + m.GetName()
		if seen[key] {
			t.Errorf("%s is there twice", key)
		}
		seen[key] = true
	}
}

// What is written can be read by who reads it: the kubelet and the API server decode by the same scheme.
func TestManifestsDecode(t *testing.T) {
	dirs, err := filepath.Glob("testdata/cases/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		n := Node{Config: load(t, filepath.Join(dir, "config.yaml"))}
		for name, data := range staticPods(t, n, Patched{}) {
			if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(data, nil, nil); err != nil {
				t.Errorf("%s of %s: %v", name, dir, err)
			}
		}
	}
}

func TestClusterInfoWithoutCA(t *testing.T) {
	if _, err := ClusterInfo("https://10.0.0.5:6443", nil); err == nil {
		t.Error("a cluster-info that nobody can trust")
	}
}

func TestTokenWithoutValue(t *testing.T) {
	c := load(t, "testdata/cases/defaults/config.yaml")
	c.Init.BootstrapTokens[0].Token = nil
	if _, err := BootstrapTokens(c, now); err == nil {
		t.Error("a token without a value was rendered")
	}
}

// A component configuration that the user gave has no hash, so that an upgrade keeps it.
func TestComponentHash(t *testing.T) {
	for file, want := range map[string]bool{"defaults": true, "feature-gates": false} {
		c := load(t, filepath.Join("testdata/cases", file, "config.yaml"))
		kubelet, err := KubeletConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := proxyConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, cm := range []runtime.Object{kubelet, proxy} {
			m, _ := meta.Accessor(cm)
			if _, hash := m.GetAnnotations()[componentHashAnnotation]; hash != want {
				t.Errorf("%s: %s has a hash: %v", file, m.GetName(), hash)
			}
		}
	}
}

// A renewed certificate changes the manifest: the hash covers what the component is told to read in the end.
func TestHashedFiles(t *testing.T) {
	n := Node{Config: load(t, "testdata/cases/extra-args/config.yaml")}
	n.Hash = func(paths ...string) string { return strings.Join(paths, " ") }
	got := APIServer(n).Annotations[HashAnnotation]
	if !strings.Contains(got, "/etc/kubernetes/pki/etcd/bundle.crt") || strings.Contains(got, "/etc/kubernetes/pki/etcd/ca.crt") {
		t.Errorf("the user's file is not the one that counts: %s", got)
	}
	if strings.Contains(got, "audit.log") {
		t.Errorf("a file that the component writes counts: %s", got)
	}
	n.ExternalCA = true
	if got := ControllerManager(n).Annotations[HashAnnotation]; strings.Contains(got, "ca.key") {
		t.Errorf("a key that is not read counts: %s", got)
	}
	n.Hash = nil
	if got := Scheduler(n).Annotations; len(got) > 0 {
		t.Errorf("annotations without a hash: %v", got)
	}
}

func TestEtcdCertMounts(t *testing.T) {
	for name, test := range map[string]struct{ ca, cert, key, want string }{
		"none":          {"", "", "", ""},
		"in the PKI":    {"/etc/kubernetes/pki/etcd/ca.crt", "/etc/kubernetes/pki/c.crt", "/etc/kubernetes/pki/c.key", ""},
		"beside it":     {"/etc/kubernetes/pki-etcd/ca.crt", "/etc/kubernetes/pki/c.crt", "/etc/ssl/certs/c.key", "/etc/kubernetes/pki-etcd"},
		"nested":        {"/a/b/c/ca.crt", "/a/b/c.crt", "/a/b/d/c.key", "/a/b"},
		"like prefixes": {"/a/b/ca.crt", "/a/bc/c.crt", "/a/bc/c.key", "/a/b /a/bc"},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, "testdata/cases/external-etcd/config.yaml")
			e := c.Cluster.Etcd.External
			e.CAFile, e.CertFile, e.KeyFile = test.ca, test.cert, test.key
			var dirs []string
			for _, m := range (Node{Config: c}).etcdCertMounts() {
				dirs = append(dirs, m.hostPath)
			}
			if got := strings.Join(dirs, " "); got != test.want {
				t.Errorf("got %q want %q", got, test.want)
			}
		})
	}
}

func TestKubeletFlagsName(t *testing.T) {
	c := load(t, "testdata/cases/defaults/config.yaml")
	c.Init.NodeRegistration.KubeletExtraArgs = []config.Arg{{Name: "hostname-override", Value: "third"}}
	got, err := KubeletFlags(c, "other")
	if err != nil || string(got) != "KUBELET_KUBEADM_ARGS=\"--hostname-override=third\"\n" {
		t.Errorf("%v: %s", err, got)
	}
}

// A directory with a slash at its end is the same directory, and is written as that.
func TestNoSecondSlash(t *testing.T) {
	c := load(t, "testdata/cases/elsewhere/config.yaml")
	want := staticPods(t, Node{Config: c}, Patched{})
	c.Cluster.CertificatesDir += "/"
	for name, pod := range staticPods(t, Node{Config: c}, Patched{}) {
		if name == config.Etcd && string(pod) != string(want[name]) || strings.Contains(string(pod), "pki//") {
			t.Errorf("%s:\n%s", name, pod)
		}
	}
}

// The feature gate RootlessControlPlane changes no static pod.
func TestRootlessIsNotCarriedOut(t *testing.T) {
	c := load(t, "testdata/cases/defaults/config.yaml")
	want := staticPods(t, Node{Config: c}, Patched{})
	c.Cluster.FeatureGates = map[string]bool{"RootlessControlPlane": true}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, staticPods(t, Node{Config: c}, Patched{})); diff != "" {
		t.Error(diff)
	}
}
