package cluster

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// List returns the objects of like's kind and namespace that carry all these labels.
func (c *Client) List(ctx context.Context, like runtime.Object, with map[string]string) ([]runtime.Object, error) {
	one, api, err := c.open(like)
	if err != nil {
		return nil, fmt.Errorf("cannot list objects like %s: %w", nameOf(one), err)
	}
	options := metav1.ListOptions{LabelSelector: labels.SelectorFromSet(with).String()}
	var live *unstructured.UnstructuredList
	err = c.retry(ctx, func(ctx context.Context) (err error) {
		live, err = api.List(ctx, options)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list objects like %s: %w", nameOf(one), err)
	}
	found := make([]runtime.Object, len(live.Items))
	for i := range live.Items {
		found[i] = &live.Items[i]
	}
	return found, nil
}
