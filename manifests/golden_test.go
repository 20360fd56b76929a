package manifests

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// now is the time in all tests.
var now = time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)

// fixed is the same randomness in every run.
func fixed() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

const caPEM = "-----BEGIN CERTIFICATE-----\nQ0E=\n-----END CERTIFICATE-----\n"

// nodes say what a case's node has beside the configuration.
var nodes = map[string]func(*Node){
	"external-ca": func(n *Node) { n.ExternalCA = true },
	"proxy": func(n *Node) {
		n.Proxy = []corev1.EnvVar{{Name: "no_proxy", Value: "10.0.0.0/8,.local"}, {Name: "HTTPS_PROXY", Value: "http://proxy.example.com:3128"}}
		n.CADirs = []string{"/etc/ca-certificates", "/usr/share/ca-certificates"}
	},
	"extra-volumes": func(n *Node) {
		n.Proxy = []corev1.EnvVar{{Name: "https_proxy", Value: "http://proxy.example.com:3128"}}
	},
	"joining": func(n *Node) {
		n.EtcdInitialCluster = []EtcdMember{{"node-0", "https://192.0.2.9:2380"}, {"node-1", "https://192.0.2.10:2380"}}
		n.Hash = func(paths ...string) string { return strings.Join(paths, " ") }
	},
}

// load reads, defaults and validates the configuration of a case.
func load(t *testing.T, file string) *config.Config {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadInit(text, filepath.Base(file))
	if err != nil {
		t.Fatal(err)
	}
	err = c.SetDefaults(config.Dynamic{
		Hostname: "node-1", AdvertiseAddress: "192.0.2.10", CRISocket: "unix:///var/run/containerd/containerd.sock",
		Token: func() (string, error) { return "abcdef.0123456789abcdef", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// readPatches reads a directory of patches; none is no patches.
func readPatches(t *testing.T, dir string) Patched {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	var files []PatchFile
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, PatchFile{Name: filepath.Base(name), Data: data})
	}
	p, err := Patches(files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every folder of testdata/cases is a configuration with everything that is rendered for it.
func TestCases(t *testing.T) {
	dirs, err := filepath.Glob("testdata/cases/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			n := Node{Config: load(t, filepath.Join(dir, "config.yaml"))}
			if set := nodes[filepath.Base(dir)]; set != nil {
				set(&n)
			}
			patches := readPatches(t, filepath.Join(dir, "patches"))
			for name, data := range staticPods(t, n, patches) {
				golden(t, filepath.Join(dir, name+".yaml"), data)
			}
			for name, data := range kubeletFiles(t, n.Config, patches) {
				golden(t, filepath.Join(dir, name), data)
			}
			golden(t, filepath.Join(dir, "objects.yaml"), yamls(t, allObjects(t, n, patches)))
		})
	}
}

// staticPods renders the manifests of the components that the node has, twice, for they must not differ.
func staticPods(t *testing.T, n Node, patches Patched) map[string][]byte {
	t.Helper()
	build := map[string]func(Node) *corev1.Pod{
		config.APIServer: APIServer, config.ControllerManager: ControllerManager, config.Scheduler: Scheduler,
	}
	if !n.Config.ExternalEtcd() {
		build[config.Etcd] = Etcd
	}
	files := map[string][]byte{}
	for name, build := range build {
		for range 2 {
			data, err := YAML(build(n))
			if err == nil {
				data, err = patches.Apply(name, data)
			}
			if err != nil {
				t.Fatal(err)
			}
			if before := files[name]; before != nil && string(before) != string(data) {
				t.Errorf("%s differs the second time:\n%s", name, cmp.Diff(string(before), string(data)))
			}
			files[name] = data
		}
	}
	return files
}

func kubeletFiles(t *testing.T, c *config.Config, patches Patched) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	add := func(name string, data []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	data, err := KubeletConfigFile(c)
	add("kubelet-config.yaml", data, err)
	data, err = patches.Apply("kubeletconfiguration", data)
	add("kubelet-config.yaml", data, err)
	data, err = InstanceConfigFile(c)
	add("instance-config.yaml", data, err)
	data, err = KubeletFlags(c, "node-1")
	add("kubeadm-flags.env", data, err)
	return files
}

// allObjects are what init leaves in the cluster.
func allObjects(t *testing.T, n Node, patches Patched) []runtime.Object {
	t.Helper()
	c := n.Config
	list := []runtime.Object{AdminBinding()}
	add := func(objects []runtime.Object, err error) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, objects...)
	}
	cm, err := KubeadmConfig(c)
	add([]runtime.Object{cm}, err)
	add(KubeadmConfigRBAC(c), nil)
	cm, err = KubeletConfig(c)
	add([]runtime.Object{cm}, err)
	add(KubeletConfigRBAC(c), nil)
	tokens, err := BootstrapTokens(c, now)
	for _, s := range tokens {
		add([]runtime.Object{s}, err)
	}
	add(BootstrapTokenRBAC(c), nil)
	add(ClusterInfo(c.ControlPlaneURL(), []byte(caPEM)))
	addon := func(target string, objects []runtime.Object, err error) {
		add(nil, err)
		for _, o := range objects {
			o, err := patches.ApplyObject(target, o)
			add([]runtime.Object{o}, err)
		}
	}
	objects, err := CoreDNS(c)
	addon("corednsdeployment", objects, err)
	objects, err = KubeProxy(c, n.Proxy)
	addon("kubeproxydaemonset", objects, err)
	return list
}

func yamls(t *testing.T, list []runtime.Object) []byte {
	t.Helper()
	var docs []string
	for _, o := range list {
		data, err := YAML(o)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, string(data))
	}
	return []byte(strings.Join(docs, "---\n"))
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(fmt.Errorf("%w: make it with -update and read it", err))
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}
