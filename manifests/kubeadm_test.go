package manifests

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// difference is one way in which kubewright's output is not kubeadm's, on purpose.
type difference struct {
	// row is how its row in docs/differences.md begins; empty for what is of the moment, and no difference of the tools.
	row string
	// in says where it shows: parts of "case/file" or "case/kind/namespace/name".
	in string
	// kubeadm and ours each take their own side to a common form; they return what they got where there is no difference.
	kubeadm, ours func(string) string
}

func keep(s string) string { return s }

func replace(pattern, with string) func(string) string {
	re := regexp.MustCompile(pattern)
	return func(s string) string { return re.ReplaceAllString(s, with) }
}

// differences is the whole list: a test fails if there is another one, or one less.
func differences() []difference {
	return []difference{
		{"hash annotation", "/kube-", keep, replace(`(?m)^    kubewright.io/mounted-files-hash: .*\n`, "")},
		{"hash annotation", "/etcd.yaml", keep, replace(`(?m)^    kubewright.io/mounted-files-hash: .*\n`, "")},
		{"hash annotation", "/kube-", keep, replace(`(?m)^  annotations:\n(  labels:)`, "$1")},
		{"encryptionAlgorithm", "ConfigMap/kube-system/kubeadm-config",
			replace("encryptionAlgorithm: RSA-2048", "encryptionAlgorithm: ECDSA-P256"), keep},
		{"", "elsewhere/ConfigMap/kube-system/kubeadm-config", keep, // which asks for it
			replace("encryptionAlgorithm: RSA-2048", "encryptionAlgorithm: ECDSA-P256")},
		{"", "Secret/kube-system/bootstrap-token-", replace("expiration: .*", "expiration: later"), replace("expiration: .*", "expiration: later")},
		{"resourceVersion", "Service/kube-system/kube-dns", replace(`  resourceVersion: "0"\n`, ""), keep},
		{"kubeconfig of kube-proxy", "ConfigMap/kube-system/kube-proxy", inOurOrder, keep},
		{"the port of the probes", "extra-args/kube-controller-manager.yaml", replace("containerPort: 10257", "containerPort: secure-port"),
			replace("containerPort: 10357", "containerPort: secure-port")},
		{"directories of external etcd", "external-etcd/kube-apiserver.yaml", keep,
			replace(`(?m)^    - mountPath: /srv/etcd-keys\n.*\n.*\n|^  - hostPath:\n      path: /srv/etcd-keys\n.*\n.*\n`, "")},
	}
}

// inOurOrder writes the ConfigMap kube-proxy anew: the same settings with sorted keys and an end of line, signed.
func inOurOrder(text string) string {
	cm := &corev1.ConfigMap{}
	if yaml.Unmarshal([]byte(text), cm) != nil {
		return text
	}
	given := cm.Annotations == nil
	for name, value := range cm.Data {
		data, err := resort([]byte(value))
		if err != nil {
			return text
		}
		cm.Data[name] = string(data)
	}
	data, err := YAML(signed(cm, given))
	if err != nil {
		return text
	}
	return string(data)
}

func resort(data []byte) ([]byte, error) {
	data, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(data)
}

// testdata/kubeadm holds what kubeadm makes of the same configurations.
func TestLikeKubeadm(t *testing.T) {
	cases, _ := filepath.Glob("testdata/kubeadm/*/kube-apiserver.yaml")
	if len(cases) < 8 {
		t.Fatalf("recorded cases: %v", cases)
	}
	seen := map[int]bool{}
	for _, file := range cases {
		dir := filepath.Dir(file)
		name := filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			n := Node{Config: load(t, filepath.Join("testdata/cases", name, "config.yaml"))}
			if set := nodes[name]; set != nil {
				set(&n)
			}
			n.Hash = func(...string) string { return "0123" }
			patches := readPatches(t, filepath.Join("testdata/cases", name, "patches"))
			ours := map[string]string{}
			for file, data := range staticPods(t, n, patches) {
				ours[name+"/"+file+".yaml"] = string(data)
			}
			if name != "external-ca" { // kubeadm does not run dry with an external CA; only its pods are recorded
				for file, data := range kubeletFiles(t, n.Config, patches) {
					ours[name+"/"+file] = string(data)
				}
				maps.Copy(ours, byName(t, name, allObjects(t, n, patches)))
			}
			compare(t, recorded(t, dir, name), ours, seen)
		})
	}
	for i, d := range differences() {
		if !seen[i] {
			t.Errorf("there is no difference %q in %s any more", d.row, d.in)
		}
	}
}

func compare(t *testing.T, kubeadm, ours map[string]string, seen map[int]bool) {
	t.Helper()
	for _, place := range slices.Sorted(maps.Keys(ours)) {
		if strings.HasSuffix(place, "ClusterRoleBinding//kubeadm:cluster-admins") {
			continue // a dry run of kubeadm does not show it
		}
		their, our := kubeadm[place], ours[place]
		for i, d := range differences() {
			if strings.Contains(place, d.in) {
				a, b := d.kubeadm(their), d.ours(our)
				seen[i] = seen[i] || a != their || b != our
				their, our = a, b
			}
		}
		if diff := cmp.Diff(their, our); diff != "" {
			t.Errorf("%s (-kubeadm +kubewright):\n%s", place, diff)
		}
		delete(kubeadm, place)
	}
	for place := range kubeadm {
		t.Errorf("kubeadm makes %s, kubewright does not", place)
	}
}

// recorded reads what kubeadm made: files, and objects one by one.
func recorded(t *testing.T, dir, name string) map[string]string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	got := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) != "objects.yaml" {
			got[name+"/"+filepath.Base(file)] = string(data)
			continue
		}
		for _, doc := range strings.Split(string(data), "---\n") {
			obj, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(doc), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			got[place(t, name, obj)] = doc
		}
	}
	return got
}

func byName(t *testing.T, name string, list []runtime.Object) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, o := range list {
		got[place(t, name, o)] = strings.ReplaceAll(yamlOf(t, o), caBase64, "Q0E=")
	}
	return got
}

// caBase64 is caPEM as it is in a kubeconfig; records have "CA" in its place.
const caBase64 = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClEwRT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

func place(t *testing.T, name string, o runtime.Object) string {
	t.Helper()
	m, err := meta.Accessor(o)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join([]string{name, o.GetObjectKind().GroupVersionKind().Kind, m.GetNamespace(), m.GetName()}, "/")
}

// kubeadm's own hash over its own data is the one that we compute: an upgrade by either tool knows a generated configuration.
func TestHashLikeKubeadm(t *testing.T) {
	found := 0
	for at, doc := range recorded(t, "testdata/kubeadm/defaults", "defaults") {
		cm := &corev1.ConfigMap{}
		if !strings.Contains(at, "ConfigMap") || yaml.Unmarshal([]byte(doc), cm) != nil || cm.Annotations == nil {
			continue
		}
		found++
		want := cm.Annotations[componentHashAnnotation]
		if got := signed(cm, false).Annotations[componentHashAnnotation]; got != want {
			t.Errorf("%s: hash %s, kubeadm's is %s", at, got, want)
		}
	}
	if found != 2 {
		t.Errorf("%d ConfigMaps have a hash, want kubelet-config and kube-proxy", found)
	}
}

// Every difference has a row with its reason.
func TestDifferencesAreWrittenDown(t *testing.T) {
	text, err := os.ReadFile("../docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences() {
		if d.row != "" && !strings.Contains(string(text), "\n| "+d.row) {
			t.Errorf("docs/differences.md has no row %q", d.row)
		}
	}
}
