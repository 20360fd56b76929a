package cluster

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestChanged(t *testing.T) {
	live := configMap("kube-system", "a", map[string]string{"k": "old"})
	served := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{
			"namespace": "kube-system", "name": "a", "uid": "u", "resourceVersion": "7", "generation": int64(2),
			"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": []any{}, "annotations": map[string]any{},
		},
		"data": map[string]any{"k": "old"}, "status": map[string]any{"x": "y"},
	}}
	c := &Client{}
	if lines, changed := c.Changed(live, served); changed || lines != "" {
		t.Errorf("what the server keeps counts:\n%s", lines)
	}
	wanted := configMap("kube-system", "a", map[string]string{"k": "new"})
	lines, changed := c.Changed(served, wanted)
	if !changed || !strings.Contains(lines, "-  k: old\n+  k: new\n") || strings.Contains(lines, "resourceVersion") {
		t.Errorf("%v\n%s", changed, lines)
	}
	if lines, changed := c.Changed(nil, wanted); !changed || !strings.Contains(lines, "+  k: new") {
		t.Errorf("%v\n%s", changed, lines)
	}
}

func TestChangedNeverShowsSecrets(t *testing.T) {
	values := []string{"0123456789abcdef", "other-value-of-the-key", "third-one-is-new", "plain-in-stringdata"}
	before, after := tokenSecret(), tokenSecret()
	before.Data["gone"] = []byte(values[1])
	before.Annotations = map[string]string{lastApplied: `{"stringData":{"a":"` + values[0] + `"}}`}
	after.Data["token-secret"] = []byte(values[1])
	after.Data["more"] = []byte(values[2])
	after.StringData = map[string]string{"s": values[3]}
	untyped := &unstructured.Unstructured{Object: map[string]any{"kind": "Secret", "stringData": map[string]any{"a": values[3]}}}
	for name, pair := range map[string][2]runtime.Object{
		"changed": {before, after}, "created": {nil, after}, "deleted": {before, nil}, "back": {after, before},
		"untyped": {untyped, after},
	} {
		lines, changed := (&Client{}).Changed(pair[0], pair[1])
		if !changed || lines == "" {
			t.Errorf("%s: no difference", name)
		}
		for _, value := range values {
			if strings.Contains(lines, value) || strings.Contains(lines, base64Of([]byte(value))) {
				t.Errorf("%s shows %s:\n%s", name, value, lines)
			}
		}
	}
	lines, _ := (&Client{}).Changed(before, after)
	for _, want := range []string{"-  token-secret: <16 bytes>\n", "+  token-secret: <22 bytes, changed>\n", "+  more: <16 bytes>\n"} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q is not in:\n%s", want, lines)
		}
	}
}
