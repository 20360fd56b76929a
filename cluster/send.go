package cluster

import (
	"encoding/base64"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// toSend turns obj into what server-side apply may carry: no status, nothing that the server keeps, and no nulls, which
// typed objects print for empty creation times and lists and which apply would take for a wish. obj stays as it is.
func toSend(obj runtime.Object) (*unstructured.Unstructured, error) {
	content, err := contentOf(obj)
	if err != nil {
		return nil, err
	}
	dropNulls(content)
	u := &unstructured.Unstructured{Object: content}
	for _, field := range serverFields() {
		unstructured.RemoveNestedField(content, field...)
	}
	if u.GetKind() == secretKind {
		encodeStringData(content)
	}
	return u, nil
}

// serverFields are those that the API server or a controller keeps.
func serverFields() [][]string {
	return [][]string{
		{"status"},
		{"metadata", "creationTimestamp"},
		{"metadata", "generation"},
		{"metadata", "managedFields"},
		{"metadata", "resourceVersion"},
		{"metadata", "selfLink"},
		{"metadata", "uid"},
	}
}

// contentOf copies an object into maps.
func contentOf(obj runtime.Object) (map[string]any, error) {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		return runtime.DeepCopyJSON(u.Object), nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("cannot convert %T: %w", obj, err)
	}
	return content, nil
}

func dropNulls(m map[string]any) {
	for key, value := range m {
		switch v := value.(type) {
		case nil:
			delete(m, key)
		case map[string]any:
			dropNulls(v)
		case []any:
			for _, item := range v {
				if inner, ok := item.(map[string]any); ok {
					dropNulls(inner)
				}
			}
		}
	}
}

// encodeStringData moves a Secret's stringData into data. The server does so too, but then the applied field would never be
// among the stored ones.
func encodeStringData(content map[string]any) {
	plain, found, err := unstructured.NestedStringMap(content, "stringData")
	if err != nil || !found {
		return
	}
	data, _, _ := unstructured.NestedMap(content, "data")
	if data == nil {
		data = map[string]any{}
	}
	for key, value := range plain {
		data[key] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	content["data"] = data
	delete(content, "stringData")
}
