package cluster

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
)

// Identity is what tells this machine from another one whose Node had the same name. An empty field is not known.
type Identity struct {
	MachineID string // /etc/machine-id
	BootID    string // /proc/sys/kernel/random/boot_id
}

// NodeRegistered says whether the Node is there and complete: the kubelet has set its kubernetes.io/hostname label, and it is
// the kubelet of this machine. The Node of a dead machine of the same name stays until the kubelet here has taken it over.
func (c *Client) NodeRegistered(ctx context.Context, name string, self Identity) (bool, error) {
	node, err := c.node(ctx, name)
	return node != nil && self.registered(node), err
}

// registered is content when either identity is the same: machines that were cloned share one, and the kubelet may be told
// to read the other elsewhere.
func (i Identity) registered(node *corev1.Node) bool {
	info := node.Status.NodeInfo
	other := i.MachineID != "" && info.MachineID != "" && i.MachineID != info.MachineID &&
		i.BootID != "" && info.BootID != "" && i.BootID != info.BootID
	return node.Labels[corev1.LabelHostname] != "" && !other
}

// WatchRegistered returns when the Node is registered as NodeRegistered means it: one request to the API server, however long it
// takes. The error says that the watch ended before; then it makes sense to ask again, a little later.
func (c *Client) WatchRegistered(ctx context.Context, name string, self Identity) error {
	// The kubelet's own credentials may watch its own Node only. The answer begins with the Node as it is.
	w, err := c.nodes().Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String(), TimeoutSeconds: ptr.To[int64](60),
	})
	if err != nil {
		return fmt.Errorf("cannot watch Node %s: %w", name, err)
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case event, more := <-w.ResultChan():
			if !more {
				return errors.New("the watch has ended")
			}
			live, ok := event.Object.(*unstructured.Unstructured)
			if !ok || live.GetKind() != "Node" {
				continue
			}
			node := &corev1.Node{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, node); err != nil {
				return fmt.Errorf("cannot read Node %s: %w", name, err)
			}
			if self.registered(node) {
				return nil
			}
		}
	}
}
