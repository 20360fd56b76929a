package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Configuration is what kubeadm or kubewright stored about the cluster, as YAML; a part that is not there is nil.
type Configuration struct {
	// Cluster is the ClusterConfiguration in ConfigMap kube-system/kubeadm-config.
	Cluster []byte
	// Kubelet is the KubeletConfiguration in ConfigMap kube-system/kubelet-config.
	Kubelet []byte
}

// CertsSecret reads the Secret kubeadm-certs, whose values are encrypted; nil when it is not there.
func (c *Client) CertsSecret(ctx context.Context) (*corev1.Secret, error) {
	live, err := c.read(ctx, secretKind, metav1.NamespaceSystem, "kubeadm-certs")
	if live == nil || err != nil {
		return nil, err
	}
	have := &corev1.Secret{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, have); err != nil {
		return nil, fmt.Errorf("cannot read Secret kubeadm-certs: %w", err)
	}
	return have, nil
}

// AdminBound says whether the client's identity may do everything, as a member of ClusterRole cluster-admin may
// (SelfSubjectAccessReview). An identity that may not even ask is not bound.
func (c *Client) AdminBound(ctx context.Context) (bool, error) {
	review := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"metadata": map[string]any{},
		"spec": map[string]any{"resourceAttributes": map[string]any{
			"verb": "*", "group": "*", "resource": "*",
		}},
	}}
	resource := schema.GroupVersionResource{
		Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews",
	}
	allowed := false
	err := c.retry(ctx, func(ctx context.Context) error {
		answer, err := c.dynamic.Resource(resource).Create(ctx, review, metav1.CreateOptions{})
		switch {
		case isForbidden(err):
			return nil // system:basic-user lets everybody ask, once RBAC is set up
		case err != nil:
			return err
		}
		allowed, _, err = unstructured.NestedBool(answer.Object, "status", "allowed")
		return err
	})
	if err != nil {
		return false, fmt.Errorf("cannot ask whether the administrator is bound to cluster-admin: %w", err)
	}
	return allowed, nil
}

// WaitAdminBound waits until AdminBound: an authorizer sees a new binding some milliseconds after it is stored.
func (c *Client) WaitAdminBound(ctx context.Context) error {
	err := c.retry(ctx, func(ctx context.Context) error {
		bound, err := c.AdminBound(ctx)
		if err == nil && !bound {
			return errNotBound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot work as administrator: %w", err)
	}
	return nil
}

// node reads a Node; nil means that there is none.
func (c *Client) node(ctx context.Context, name string) (*corev1.Node, error) {
	live, err := c.read(ctx, "Node", "", name)
	if live == nil || err != nil {
		return nil, err
	}
	return asNode(live)
}

func asNode(live *unstructured.Unstructured) (*corev1.Node, error) {
	node := &corev1.Node{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, node); err != nil {
		return nil, fmt.Errorf("cannot understand Node %s: %w", live.GetName(), err)
	}
	return node, nil
}

func (c *Client) nodes() dynamic.ResourceInterface {
	return c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("nodes"))
}

// read gets one object of the core group.
func (c *Client) read(ctx context.Context, kind, namespace, name string) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("v1")
	u.SetKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	_, api, err := c.open(u)
	if err != nil {
		return nil, err
	}
	live, err := c.get(ctx, api, name)
	if err != nil {
		return nil, fmt.Errorf("cannot get %s: %w", nameOf(u), err)
	}
	return live, nil
}
