package cluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
)

// NodeReady says whether the cluster has a Node of this name, and whether it is Ready: another machine of that name may be
// in use. It needs get on nodes only, which a bootstrap token has. One request.
func (c *Client) NodeReady(ctx context.Context, name string) (exists, ready bool, err error) {
	node, err := c.node(ctx, name)
	if node == nil || err != nil {
		return false, false, err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return true, condition.Status == corev1.ConditionTrue, nil
		}
	}
	return true, false, nil
}
