package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
)

// Kubelet is what this machine knows of its own kubelet. What is zero is not compared.
type Kubelet struct {
	// Started is when it was started, by this machine's clock, which is the kubelet's, too.
	Started time.Time
	// BootID is the kernel's, of /proc/sys/kernel/random/boot_id.
	BootID string
}

// NodeRegistered returns nil when the Node is there, complete (the kubelet has set its kubernetes.io/hostname label), and the work
// of that kubelet; else the error says what is missing.
//
// A Node of that name may be left of another machine, whose name and machine ID may be those of an image that both were made of.
// So what counts is that the kubelet has reported since it was started, in whatever state the Node is, and from this boot: the
// one tells the Node of a machine that is dead, the other that of one that is alive.
func (c *Client) NodeRegistered(ctx context.Context, name string, own Kubelet) error {
	node, err := c.node(ctx, name)
	if err != nil {
		return err
	}
	return own.registered(node, name)
}

func (k Kubelet) registered(node *corev1.Node, name string) error {
	switch {
	case node == nil:
		return fmt.Errorf("node %s is not registered", name)
	case node.Labels[corev1.LabelHostname] == "":
		return fmt.Errorf("node %s is not complete: it has no label %s", name, corev1.LabelHostname)
	case k.BootID != "" && node.Status.NodeInfo.BootID != "" && k.BootID != node.Status.NodeInfo.BootID:
		return fmt.Errorf("node %s is there, but of another machine or of before the last boot", name)
	case k.Started.IsZero():
		return nil
	}
	for _, condition := range node.Status.Conditions {
		// The API keeps whole seconds.
		if condition.Type == corev1.NodeReady && !condition.LastHeartbeatTime.Time.Before(k.Started.Truncate(time.Second)) {
			return nil
		}
	}
	return fmt.Errorf("node %s is there, but the kubelet of this machine has not reported since it was started", name)
}

// watchFor is how long one watch lasts, in seconds. It is shorter than a request may take.
const watchFor = 25

// WatchRegistered returns when the Node is registered as NodeRegistered means it, with one request to the API server. When that ends
// before, the error says what is missing; then it makes sense to ask again, a little later.
func (c *Client) WatchRegistered(ctx context.Context, name string, own Kubelet) error {
	// The kubelet's own credentials may watch its own Node only. The answer begins with the Node as it is.
	w, err := c.nodes().Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String(), TimeoutSeconds: ptr.To[int64](watchFor),
	})
	if err != nil {
		return fmt.Errorf("cannot watch Node %s: %w", name, err)
	}
	defer w.Stop()
	missing := own.registered(nil, name)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case event, more := <-w.ResultChan():
			if !more {
				return missing
			}
			live, ok := event.Object.(*unstructured.Unstructured)
			switch {
			case event.Type == watch.Error:
				return fmt.Errorf("cannot watch Node %s: %w", name, apierrors.FromObject(event.Object))
			case !ok || live.GetKind() != "Node" || event.Type == watch.Bookmark:
				continue
			case event.Type == watch.Deleted:
				missing = own.registered(nil, name)
				continue
			}
			node := &corev1.Node{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, node); err != nil {
				return fmt.Errorf("cannot read Node %s: %w", name, err)
			}
			if missing = own.registered(node, name); missing == nil {
				return nil
			}
		}
	}
}
