package corpus

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/manifests"
)

// noCluster is a kubeconfig for a dry run, which asks nobody.
const noCluster = `apiVersion: v1
kind: Config
clusters: [{name: k, cluster: {server: "` + nobody + `"}}]
users: [{name: u, user: {}}]
contexts: [{name: c, context: {cluster: k, user: u}}]
current-context: c
`

// What init leaves on the machine for the kubelet, and in the cluster of configurations and addons, is the same, but for what
// docs/differences.md says of what is rendered.
func TestObjects(t *testing.T) {
	k := findKubeadm(t)
	skipWithoutFacts(t)
	compared := make(chan int, 1)
	compared <- 0
	t.Run("documents", func(t *testing.T) {
		for _, d := range documents(t, 40) {
			c := d.forInit(t)
			if c == nil {
				continue
			}
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				theirs := k.objects(t, d.text, c)
				if theirs == nil {
					return
				}
				ours := objects(t, c)
				for name, want := range theirs {
					if diff := cmp.Diff(comparable(name, want), comparable(name, ours[name])); diff != "" {
						t.Errorf("%s: -kubeadm +kubewright\n%s\nof\n%s", name, diff, d.text)
					}
					delete(ours, name)
				}
				for name := range ours {
					t.Errorf("kubeadm makes no %s", name)
				}
				compared <- <-compared + 1
			})
		}
	})
	if n := <-compared; n < 15 {
		t.Errorf("only %d configurations were compared", n)
	} else {
		t.Logf("%d configurations", n)
	}
}

// objects lets kubeadm run dry and returns what it would leave, by name; nil where it refuses the document.
func (k *kubeadm) objects(t *testing.T, text string, c *config.Config) map[string]string {
	t.Helper()
	dir := openDir(t)
	file := filepath.Join(dir, "config")
	for name, text := range map[string]string{"config": text, "admin.conf": noCluster} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	phases := []string{"kubelet-start", "upload-config all"}
	if !c.Cluster.DNS.Disabled {
		phases = append(phases, "addon coredns")
	}
	if !c.Cluster.Proxy.Disabled {
		phases = append(phases, "addon kube-proxy")
	}
	found := map[string]string{}
	for _, phase := range phases {
		args := append([]string{"init", "phase"}, strings.Fields(phase)...)
		out := k.run(t, []string{"KUBEADM_INIT_DRYRUN_DIR=" + dir}, append(args, "--dry-run", "--config", file)...)
		if !out.ok {
			return nil // TestVerdicts looks into this
		}
		for _, text := range attached(out.text) {
			obj, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(text), nil, nil)
			if err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			found[nameOf(t, obj)] = text
		}
	}
	for _, name := range []string{"config.yaml", "instance-config.yaml", "kubeadm-flags.env"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		found[name] = string(data)
	}
	return found
}

// attached are the objects that a dry run would create, as it shows them.
func attached(out string) []string {
	var found []string
	create, inside := false, false
	for line := range strings.Lines(out) {
		switch {
		case strings.HasPrefix(line, "[dryrun] Would perform action"):
			create, inside = strings.Contains(line, " CREATE "), false
		case create && strings.HasPrefix(line, "[dryrun] Attached object:"):
			found, inside = append(found, ""), true
		case strings.HasPrefix(line, "[") || line == "\n":
			inside = false
		case inside:
			found[len(found)-1] += line
		}
	}
	return found
}

func nameOf(t *testing.T, o runtime.Object) string {
	t.Helper()
	m, err := meta.Accessor(o)
	if err != nil {
		t.Fatal(err)
	}
	return o.GetObjectKind().GroupVersionKind().Kind + "/" + m.GetName()
}

// objects are ours.
func objects(t *testing.T, c *config.Config) map[string]string {
	t.Helper()
	found := map[string]string{}
	add := func(list []runtime.Object, err error) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list {
			data, err := manifests.YAML(o)
			if err != nil {
				t.Fatal(err)
			}
			found[nameOf(t, o)] = string(data)
		}
	}
	file := func(name string, data []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		found[name] = string(data)
	}
	cm, err := manifests.KubeadmConfig(c)
	add(append([]runtime.Object{cm}, manifests.KubeadmConfigRBAC(c)...), err)
	cm, err = manifests.KubeletConfig(c)
	add(append([]runtime.Object{cm}, manifests.KubeletConfigRBAC(c)...), err)
	if !c.Cluster.DNS.Disabled {
		add(manifests.CoreDNS(c))
	}
	if !c.Cluster.Proxy.Disabled {
		add(manifests.KubeProxy(c, nil))
	}
	data, err := manifests.KubeletConfigFile(c)
	file("config.yaml", data, err)
	data, err = manifests.InstanceConfigFile(c)
	file("instance-config.yaml", data, err)
	hostname, err := host.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	data, err = manifests.KubeletFlags(c, hostname)
	file("kubeadm-flags.env", data, err)
	return found
}

var (
	storedAlgorithm = regexp.MustCompile(`(?m)^    encryptionAlgorithm: (RSA-2048|ECDSA-P256)\n`)
	hashLine        = regexp.MustCompile(`(?m)^    kubeadm.kubernetes.io/component-config.hash: .*\n`)
)

// comparable leaves out what differs on purpose: the default of encryptionAlgorithm, a resourceVersion, and how the kubeconfig of
// kube-proxy is written, which the hash is of, too.
func comparable(name, text string) string {
	switch name {
	case "ConfigMap/kubeadm-config":
		return storedAlgorithm.ReplaceAllString(text, "")
	case "Service/kube-dns":
		return strings.ReplaceAll(text, "  resourceVersion: \"0\"\n", "")
	case "ConfigMap/kube-proxy":
		var cm corev1.ConfigMap
		var kubeconfig map[string]any
		if yaml.Unmarshal([]byte(text), &cm) != nil || yaml.Unmarshal([]byte(cm.Data["kubeconfig.conf"]), &kubeconfig) != nil {
			return text
		}
		data, err := yaml.Marshal(kubeconfig)
		if err != nil {
			return text
		}
		cm.Data["kubeconfig.conf"] = string(data)
		cm.Data["config.conf"] = strings.TrimSuffix(cm.Data["config.conf"], "\n")
		if data, err = yaml.Marshal(cm); err != nil {
			return text
		}
		return hashLine.ReplaceAllString(string(data), "    hash: some\n")
	}
	return text
}
