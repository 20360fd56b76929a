package manifests

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
)

// Whatever is in a patch, applying it ends, and what comes out is the object that it was for, or an error.
func FuzzPatches(f *testing.F) {
	for _, seed := range []struct{ name, text string }{
		{"kube-apiserver.yaml", "metadata: {labels: {a: b}}\n---\nspec: {containers: [{name: kube-apiserver, $patch: delete}]}\n"},
		{"etcd+merge.json", `{"metadata": null, "spec": {"containers": [null]}}`},
		{"etcd+json.yaml", "- {op: copy, from: '', path: /metadata/annotations}\n- {op: copy, from: '', path: /metadata/annotations}\n"},
		{"etcd+json.json", `[{"op":"replace","path":"/spec/containers/5","value":{}},{"op":"move","from":"/spec","path":"/spec/x"}]`},
		{"etcd+json.json", `[{"op":"remove","path":""},{"op":"test","path":"/~1","value":1},{"op":"add","path":"/spec/containers/-1","value":0}]`},
		{"etcd+strategic.yaml", "$setElementOrder/containers: [{name: x}]\nspec: {$retainKeys: [a], volumes: [{$patch: replace}]}\n"},
		{"etcd+strategic.yaml", "spec: {$deleteFromPrimitiveList/containers: [1]}\n"},
	} {
		f.Add(seed.name, []byte(seed.text))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		p, err := Patches([]PatchFile{{name, data}})
		if err != nil {
			return
		}
		for _, target := range []string{config.Etcd, config.APIServer} {
			out, err := p.Apply(target, []byte(patchedPod))
			if err != nil {
				continue
			}
			var pod corev1.Pod
			if err := yaml.UnmarshalStrict(out, &pod); err != nil {
				t.Errorf("what came out is no pod: %v\n%s", err, out)
			}
		}
	})
}

const patchedPod = `apiVersion: v1
kind: Pod
metadata: {name: etcd, labels: {tier: control-plane}}
spec:
  containers:
  - {name: etcd, command: [etcd, --name=a], env: [{name: A, value: b}]}
  volumes:
  - {name: data, hostPath: {path: /var/lib/etcd}}
`

// A small patch does not become a large one, neither by aliases nor by copying copies.
func TestPatchBombs(t *testing.T) {
	for name, text := range map[string]string{
		"etcd.yaml":      "a: &a " + strings.Repeat("x", 10_000) + "\nb: [" + strings.Repeat("*a,", 10_000) + "*a]\n",
		"etcd+json.yaml": strings.Repeat("- {op: copy, from: /spec, path: /spec/volumes/-}\n", 40),
	} {
		p, err := Patches([]PatchFile{{name, []byte(text)}})
		if err == nil {
			_, err = p.Apply(config.Etcd, []byte(patchedPod))
		}
		if err == nil || !strings.Contains(err.Error(), "longer than") {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}
