package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// The labels of a control-plane node; both have an empty value.
const (
	LabelControlPlane = "node-role.kubernetes.io/control-plane"
	LabelNoExternalLB = corev1.LabelNodeExcludeBalancers
)

// Marked says whether the node has the control-plane labels and all the taints given (by key, value and effect).
// A node that is not registered is not marked.
func (c *Client) Marked(ctx context.Context, name string, taints []corev1.Taint) (bool, error) {
	node, err := c.node(ctx, name)
	if node == nil || err != nil {
		return false, err
	}
	return marked(node, taints), nil
}

// MarkControlPlane gives the node the two control-plane labels and adds the taints, which are those of
// nodeRegistration.taints. Taints that others set stay; one with the same key and effect is replaced. There is no
// cri-socket annotation: kubeadm stopped writing it in 1.36. The node must be registered.
func (c *Client) MarkControlPlane(ctx context.Context, name string, taints []corev1.Taint) error {
	labelled := false
	err := c.retry(ctx, func(ctx context.Context) error {
		// Mostly the kubelet has set the taints. The labels alone are no matter of versions, which change fast while a kubelet starts.
		look := c.node
		if !labelled {
			look = c.labelNode
		}
		node, err := look(ctx, name)
		switch {
		case err != nil:
			return err
		case node == nil:
			return fmt.Errorf("it is not registered")
		case marked(node, taints):
			return nil
		}
		labelled = true
		patch, err := markPatch(node, taints)
		if err != nil {
			return err
		}
		_, err = c.nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot mark Node %s as control plane: %w", name, err)
	}
	return nil
}

// labelNode gives the node the labels, and returns it; nil when it is not registered.
func (c *Client) labelNode(ctx context.Context, name string) (*corev1.Node, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": controlPlaneLabels()}})
	if err != nil {
		return nil, err
	}
	live, err := c.nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return asNode(live)
}

func controlPlaneLabels() map[string]any {
	return map[string]any{LabelControlPlane: "", LabelNoExternalLB: ""}
}

func marked(node *corev1.Node, taints []corev1.Taint) bool {
	for _, label := range []string{LabelControlPlane, LabelNoExternalLB} {
		if _, ok := node.Labels[label]; !ok {
			return false
		}
	}
	for i := range taints {
		if !hasTaint(node.Spec.Taints, taints[i]) {
			return false
		}
	}
	return true
}

func hasTaint(have []corev1.Taint, t corev1.Taint) bool {
	for i := range have {
		if have[i].MatchTaint(&t) && have[i].Value == t.Value {
			return true
		}
	}
	return false
}

// markPatch is a merge patch that names the resourceVersion, so that a taint set in between is not lost.
func markPatch(node *corev1.Node, taints []corev1.Taint) ([]byte, error) {
	all := append([]corev1.Taint{}, taints...)
	for i := range node.Spec.Taints {
		replaced := false
		for j := range taints {
			replaced = replaced || taints[j].MatchTaint(&node.Spec.Taints[i])
		}
		if !replaced {
			all = append(all, node.Spec.Taints[i])
		}
	}
	list := make([]any, 0, len(all))
	for i := range all {
		taint, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&all[i])
		if err != nil {
			return nil, err
		}
		list = append(list, taint)
	}
	patch := unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{
			"resourceVersion": node.ResourceVersion,
			"labels":          controlPlaneLabels(),
		},
		"spec": map[string]any{"taints": list},
	}}
	return patch.MarshalJSON()
}
