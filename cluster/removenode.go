package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// RemoveNode deletes what NodeLeftovers names. Call it when the kubelet is stopped, which would make the Node again, and when its pods
// have ended, because they are deleted without waiting for it.
//
// The Node goes first: as long as it is there, DaemonSets make their pods for it again; without it, the cluster itself deletes in a
// while what this call does not. What the credentials may not delete is named in a *KeptError, as the Node and its requests for
// certificates with those of a kubelet; then the Node is marked as not ready, so that no new pods are sent to it. A Node of another
// machine is an *OtherMachineError, and nothing is deleted. Another error may come beside a *KeptError, joined to it.
func (c *Client) RemoveNode(ctx context.Context, name string, own Machine) error {
	found, err := c.remnants(ctx, name, own)
	var errs []error
	if err != nil {
		if !isForbidden(err) {
			return fmt.Errorf("cannot remove node %s from the cluster: %w", name, err)
		}
		errs = append(errs, err)
	}
	kept := &KeptError{}
	patient := c
	for _, r := range found {
		err := patient.remove(ctx, r)
		switch {
		case err == nil:
			continue
		case isForbidden(err):
			kept.add(r, err)
			if r.kind == nodeKind {
				_ = c.markStopped(ctx, r) // without it the cluster notices by itself, in 40 seconds
			}
			continue
		}
		errs = append(errs, fmt.Errorf("cannot delete %s: %w", r, err))
		var answer apierrors.APIStatus
		if !errors.As(err, &answer) {
			break // the name is another machine's now, or nobody answers
		}
		patient = c.WithPatience(time.Second) // a trouble of all deletions has had its time
	}
	switch other := errors.Join(errs...); {
	case len(kept.Objects) == 0:
		return other
	case other != nil:
		return errors.Join(kept, other)
	}
	return kept
}

// errReplaced says that the Node was deleted meanwhile, and somebody else has registered under its name.
var errReplaced = errors.New("there is another Node of that name by now")

// remove deletes an object as it was found: one that has taken its name is left alone.
func (c *Client) remove(ctx context.Context, r remnant) error {
	return c.retry(ctx, func(ctx context.Context) error {
		err := r.api.Delete(ctx, r.name, metav1.DeleteOptions{
			GracePeriodSeconds: ptr.To[int64](0), Preconditions: &metav1.Preconditions{UID: &r.uid},
		})
		switch {
		case apierrors.IsConflict(err) && r.kind == nodeKind:
			return errReplaced
		case apierrors.IsNotFound(err), apierrors.IsConflict(err):
			return nil
		}
		return err
	})
}

// markStopped says in the Node that its kubelet has stopped, as that may do of its own Node. The next kubelet takes it back. The
// time of the last report stays: it tells whose the Node is.
func (c *Client) markStopped(ctx context.Context, node remnant) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": node.uid},
		"status": map[string]any{"conditions": []any{map[string]any{
			"type": corev1.NodeReady, "status": corev1.ConditionFalse, "lastTransitionTime": metav1.Now(),
			"reason": "KubeletStopped", "message": "kubewright gives the machine back; this Node can be deleted",
		}}},
	})
	if err != nil {
		return err
	}
	return c.retry(ctx, func(ctx context.Context) error {
		_, err := c.nodes().Patch(ctx, node.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager}, "status")
		return err
	})
}
