package cluster

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// NodeConfiguration reads what a node needs of the stored configuration, both parts at the same time. The configuration of
// kube-proxy is not among it: its pods read it themselves, and the right to read it comes with the addon. A part that is not
// there is nil. It is two requests; a bootstrap token may do it.
func (c *Client) NodeConfiguration(ctx context.Context) (*Configuration, error) {
	stored, failed := &Configuration{}, make(chan error)
	read := func(configMap, key string, into *[]byte) {
		live, err := c.read(ctx, "ConfigMap", metav1.NamespaceSystem, configMap)
		if live != nil {
			if text, found, _ := unstructured.NestedString(live.Object, "data", key); found {
				*into = []byte(text)
			}
		}
		failed <- err
	}
	go read("kubeadm-config", "ClusterConfiguration", &stored.Cluster)
	go read("kubelet-config", "kubelet", &stored.Kubelet)
	if err := errors.Join(<-failed, <-failed); err != nil {
		return nil, err
	}
	return stored, nil
}
