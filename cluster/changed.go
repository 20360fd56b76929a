package cluster

import (
	"reflect"

	"github.com/rogpeppe/go-internal/diff"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Changed compares an object as it is with what applying it would make of it. It leaves out what the server itself keeps
// (resourceVersion, managedFields, uid, generation, creationTimestamp, status). The lines are a unified diff of the YAML;
// of a Secret they show lengths, never values. A nil object counts as empty.
func (c *Client) Changed(live, wanted runtime.Object) (lines string, changed bool) {
	before, after := comparable(live), comparable(wanted)
	if reflect.DeepEqual(before, after) {
		return "", false
	}
	if kindOf(before) == secretKind || kindOf(after) == secretKind {
		redact(before, after)
	}
	return string(diff.Diff("live", text(before), "wanted", text(after))), true
}

// comparable returns an object's content without what the server keeps; nil when it can't be converted.
func comparable(obj runtime.Object) map[string]any {
	if obj == nil {
		return nil
	}
	u, err := toSend(obj)
	if err != nil {
		return nil
	}
	if annotations, _, _ := unstructured.NestedMap(u.Object, "metadata", "annotations"); len(annotations) == 0 {
		unstructured.RemoveNestedField(u.Object, "metadata", "annotations")
	}
	return u.Object
}

func kindOf(content map[string]any) string {
	kind, _ := content["kind"].(string)
	return kind
}

func text(content map[string]any) []byte {
	if len(content) == 0 {
		return nil
	}
	out, err := yaml.Marshal(content)
	if err != nil { // maps, strings and numbers always marshal
		return nil
	}
	return out
}
