package cluster

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
)

// List returns the objects of like's kind and namespace that carry all these labels.
func (c *Client) List(ctx context.Context, like runtime.Object, with map[string]string) ([]runtime.Object, error) {
	one, api, err := c.open(like)
	if err != nil {
		return nil, fmt.Errorf("cannot list objects like %s: %w", nameOf(one), err)
	}
	live, err := c.list(ctx, api, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(with).String()})
	if err != nil {
		return nil, fmt.Errorf("cannot list objects like %s: %w", nameOf(one), err)
	}
	found := make([]runtime.Object, len(live))
	for i := range live {
		found[i] = &live[i]
	}
	return found, nil
}

// ControlPlaneNodes are the names of the Nodes that have the control-plane label, whatever its value. The credentials of a kubelet
// may not ask.
func (c *Client) ControlPlaneNodes(ctx context.Context) ([]string, error) {
	live, err := c.list(ctx, c.nodes(), metav1.ListOptions{LabelSelector: LabelControlPlane})
	if err != nil {
		return nil, fmt.Errorf("cannot list the control-plane nodes: %w", err)
	}
	var names []string
	for i := range live {
		names = append(names, live[i].GetName())
	}
	return names, nil
}

// OtherNodes are the names of all Nodes but this one. The credentials of a kubelet may not ask.
func (c *Client) OtherNodes(ctx context.Context, own string) ([]string, error) {
	live, err := c.list(ctx, c.nodes(), metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("cannot list the nodes: %w", err)
	}
	var names []string
	for i := range live {
		if name := live[i].GetName(); name != own {
			names = append(names, name)
		}
	}
	return names, nil
}

// list asks for the objects of one resource.
func (c *Client) list(ctx context.Context, api dynamic.ResourceInterface, o metav1.ListOptions) ([]unstructured.Unstructured, error) {
	var live *unstructured.UnstructuredList
	err := c.retry(ctx, func(ctx context.Context) (err error) {
		live, err = api.List(ctx, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return live.Items, nil
}
