package cluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
)

// Live returns the object that has obj's kind, namespace and name, or nil when there is none.
func (c *Client) Live(ctx context.Context, obj runtime.Object) (runtime.Object, error) {
	want, api, err := c.open(obj)
	if err != nil {
		return nil, fmt.Errorf("cannot get %s: %w", nameOf(want), err)
	}
	live, err := c.get(ctx, api, want.GetName())
	if err != nil {
		return nil, fmt.Errorf("cannot get %s: %w", nameOf(want), err)
	}
	if live == nil {
		return nil, nil
	}
	return live, nil
}

// Exists says whether the cluster has an object of obj's kind, namespace and name.
func (c *Client) Exists(ctx context.Context, obj runtime.Object) (bool, error) {
	live, err := c.Live(ctx, obj)
	return live != nil, err
}

// Apply makes the cluster's object agree with obj by server-side apply (KEP-555) and returns the object as it is, or with
// dryRun as it would be. It takes over the fields that obj sets from other managers. Fields that obj does not
// set and that another manager owns stay: a key that kubeadm put into a ConfigMap does not go away because obj lacks it;
// a key that kubewright applied before does.
//
// It tries again while the API server is away, busy, not fully started, or has not made its own namespaces yet, for as long as
// the client's Options say.
func (c *Client) Apply(ctx context.Context, obj runtime.Object, dryRun bool) (runtime.Object, error) {
	want, api, err := c.open(obj)
	if err != nil {
		return nil, fmt.Errorf("cannot apply %s: %w", nameOf(want), err)
	}
	options := metav1.ApplyOptions{FieldManager: FieldManager, Force: true, DryRun: only(dryRun)}
	var result *unstructured.Unstructured
	err = c.retry(ctx, func(ctx context.Context) (err error) {
		result, err = api.Apply(ctx, want.GetName(), want, options)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot apply %s: %w", nameOf(want), withoutSecrets(err, want))
	}
	return result, nil
}

// Delete removes the object; that it is gone already is no error.
func (c *Client) Delete(ctx context.Context, obj runtime.Object) error {
	want, api, err := c.open(obj)
	if err != nil {
		return fmt.Errorf("cannot delete %s: %w", nameOf(want), err)
	}
	err = c.retry(ctx, func(ctx context.Context) error {
		err := api.Delete(ctx, want.GetName(), metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot delete %s: %w", nameOf(want), err)
	}
	return nil
}

// only is what a request carries that must change nothing.
func only(dryRun bool) []string {
	if dryRun {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// open returns obj in the form that is sent, and the resource to send it to.
func (c *Client) open(obj runtime.Object) (*unstructured.Unstructured, dynamic.ResourceInterface, error) {
	want, err := toSend(obj)
	if err != nil {
		return nil, nil, err
	}
	resource, namespaced, err := lookUp(want.GroupVersionKind())
	switch {
	case err != nil:
		return want, nil, err
	case want.GetName() == "":
		return want, nil, fmt.Errorf("the object has no name")
	case namespaced && want.GetNamespace() == "":
		return want, nil, fmt.Errorf("the object has no namespace")
	case namespaced:
		return want, c.dynamic.Resource(resource).Namespace(want.GetNamespace()), nil
	}
	return want, c.dynamic.Resource(resource), nil
}

// get reads one object; nil means that there is none.
func (c *Client) get(ctx context.Context, api dynamic.ResourceInterface, name string) (*unstructured.Unstructured, error) {
	var live *unstructured.Unstructured
	err := c.retry(ctx, func(ctx context.Context) (err error) {
		live, err = api.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			live, err = nil, nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return live, nil
}

// nameOf is how messages call an object.
func nameOf(o *unstructured.Unstructured) string {
	switch {
	case o == nil:
		return "an object"
	case o.GetNamespace() == "":
		return o.GetKind() + " " + o.GetName()
	}
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}
