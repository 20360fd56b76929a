package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// EtcdEndpointAnnotation is on the static pod of each etcd member and tells its client URL, as kubeadm writes it.
const EtcdEndpointAnnotation = "kubeadm.kubernetes.io/etcd.advertise-client-urls"

// EtcdEndpoints lists the client URLs of the etcd members that run as static pods, sorted. A pod may outlive its member: one
// endpoint that answers is enough to learn the others from.
func (c *Client) EtcdEndpoints(ctx context.Context) ([]string, error) {
	pods := c.dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(metav1.NamespaceSystem)
	var list *unstructured.UnstructuredList
	err := c.retry(ctx, func(ctx context.Context) (err error) {
		list, err = pods.List(ctx, metav1.ListOptions{LabelSelector: "component=etcd,tier=control-plane"})
		if err == nil && len(list.Items) == 0 {
			err = errNoEtcd // just after a restart of its kubelet a static pod is not seen
		}
		return err
	})
	if errors.Is(err, errNoEtcd) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the pods of etcd: %w", err)
	}
	var endpoints []string
	for _, pod := range list.Items {
		if url := pod.GetAnnotations()[EtcdEndpointAnnotation]; url != "" {
			endpoints = append(endpoints, url)
		}
	}
	slices.Sort(endpoints)
	return slices.Compact(endpoints), nil
}
