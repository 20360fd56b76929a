package manifests

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/config"
)

// Which names are patches, of what and how.
func TestPatchNames(t *testing.T) {
	const addLabel = "metadata: {labels: {patched: 'yes'}}"
	const replaceLabel = `[{"op": "add", "path": "/metadata/labels/patched", "value": "yes"}]`
	for name, test := range map[string]struct{ text, target string }{
		"etcd.yaml":                              {addLabel, "etcd"},
		"etcd0.yaml":                             {addLabel, "etcd"},
		"kube-apiserver+strategic.yaml":          {addLabel, "kube-apiserver"},
		"kube-apiserver-memory+merge.yaml":       {addLabel, "kube-apiserver"},
		"kube-scheduler+json.json":               {replaceLabel, "kube-scheduler"},
		"kube-controller-manager.json":           {`{"metadata": {"labels": {"patched": "yes"}}}`, "kube-controller-manager"},
		"kube-controller-manager.old+merge.yaml": {addLabel, "kube-controller-manager"},
		"etcd.yml":                               {addLabel, ""},
		"etcd":                                   {addLabel, ""},
		"kubeproxy.yaml":                         {addLabel, ""},
		"my-etcd.yaml":                           {addLabel, ""},
		"etcd.yaml~":                             {addLabel, ""},
		"kube-apiserver.yaml":                    {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Patches([]PatchFile{{name, []byte(test.text)}})
			if err != nil {
				t.Fatal(err)
			}
			if ignored := slices.Contains(p.Ignored(), name); ignored != (test.target == "") {
				t.Errorf("ignored: %v", ignored)
			}
			for _, target := range []string{config.Etcd, config.APIServer, config.ControllerManager, config.Scheduler} {
				doc := "apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    a: b\n"
				got, err := p.Apply(target, []byte(doc))
				if err != nil {
					t.Fatal(err)
				}
				if patched := strings.Contains(string(got), "patched"); patched != (target == test.target) {
					t.Errorf("%s patched: %v", target, patched)
				}
			}
		})
	}
}

// The order is that of the names, whatever the order of the directory.
func TestPatchOrder(t *testing.T) {
	set := func(value string) []byte { return []byte("metadata: {labels: {by: " + value + "}}") }
	p, err := Patches([]PatchFile{{"etcd2.yaml", set("second")}, {"etcd1+merge.yaml", set("first")}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Apply("etcd", []byte("kind: Pod"))
	if err != nil || !strings.Contains(string(got), "by: second") {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestPatchErrors(t *testing.T) {
	pod := []byte("apiVersion: v1\nkind: Pod\nmetadata:\n  name: etcd\nspec:\n  containers:\n  - name: etcd\n")
	for _, test := range []struct{ name, text, want string }{
		{"etcd+.yaml", "a: b", "unknown patch type"},
		{"etcd+patch.yaml", "a: b", "unknown patch type"},
		{"etcd.yaml", "a: b: c", "document 1"},
		{"etcd.yaml", "spec: {}\n---\nspec: {}\nspec: {}\n", "document 2"},
		{"etcd.yaml", "spec:\n  containrs: []", `unknown field "spec.containrs"`},
		{"etcd.yaml", "spec:\n  hostNetwork: maybe", "hostNetwork"},
		{"etcd+json.yaml", "a: b", "list of operations"},
		{"etcd+json.yaml", `[{"op": "remove", "path": "/spec/nothing"}]`, "nothing"},
		{"etcd+merge.yaml", "- a", "cannot apply"},
	} {
		t.Run(test.name+" "+test.want, func(t *testing.T) {
			p, err := Patches([]PatchFile{{"good.txt", nil}, {test.name, []byte(test.text)}})
			if err == nil {
				_, err = p.Apply("etcd", pod)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.name) {
				t.Errorf("want %q and the file's name in: %v", test.want, err)
			}
		})
	}
}

// Without patches for it a document is not even read, and what Patches did not make changes nothing.
func TestNoPatches(t *testing.T) {
	other, err := Patches([]PatchFile{{"etcd.yaml", []byte("spec: {}")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Patched{"zero": {}, "other target": other} {
		got, err := p.Apply("kube-apiserver", []byte("# mine\nb: 1\na: 2\n"))
		if err != nil || string(got) != "# mine\nb: 1\na: 2\n" {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

func TestPatchObjects(t *testing.T) {
	c := load(t, "testdata/cases/defaults/config.yaml")
	p, err := Patches([]PatchFile{{"corednsdeployment.yaml", []byte("spec: {replicas: 5}")}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := CoreDNS(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		got, err := p.ApplyObject("corednsdeployment", o)
		if err != nil {
			t.Fatal(err)
		}
		want := o.DeepCopyObject()
		if d, ok := want.(*appsv1.Deployment); ok {
			*d.Spec.Replicas = 5
		}
		if diff := cmp.Diff(yamlOf(t, want), yamlOf(t, got)); diff != "" {
			t.Errorf("%T (-want +got):\n%s", o, diff)
		}
		// The same patches are not for the other addon.
		if same, err := p.ApplyObject("kubeproxydaemonset", o); err != nil || same != o {
			t.Errorf("%T was patched as part of another addon: %v", o, err)
		}
	}
}

func yamlOf(t *testing.T, o runtime.Object) string {
	t.Helper()
	data, err := YAML(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
