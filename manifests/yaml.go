package manifests

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// YAML writes an object with sorted keys; the same object gives the same bytes. A Pod ends with "status: {}", as kubeadm
// writes it.
func YAML(obj runtime.Object) ([]byte, error) {
	data, err := yaml.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("cannot write a %T as YAML: %w", obj, err)
	}
	return data, nil
}
