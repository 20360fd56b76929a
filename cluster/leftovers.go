package cluster

import (
	"context"
	"errors"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

const (
	nodeKind    = "Node"
	requestKind = "CertificateSigningRequest"
)

// remnant is one object that the cluster keeps of a node.
type remnant struct {
	kind, namespace, name string
	uid                   types.UID
	api                   dynamic.ResourceInterface
}

func (r remnant) String() string {
	if r.namespace == "" {
		return r.kind + " " + r.name
	}
	return r.kind + " " + r.namespace + "/" + r.name
}

// NodeLeftovers names what the cluster keeps of a node, as "Node w1", "Lease kube-node-lease/w1", "Pod default/web-1" and
// "CertificateSigningRequest csr-x", in the order in which RemoveNode deletes them. What is being deleted and waits only for others,
// for their finalizers, does not count.
//
// If there is a Node and it is not this machine's, the error is an *OtherMachineError, and nothing is named. If there is none, what
// carries its name still counts, but for requests for certificates that are not decided: they may be those of a machine that is
// just joining. What the credentials may not list is told in an error beside what was found. It is five requests.
func (c *Client) NodeLeftovers(ctx context.Context, name string, own Machine) ([]string, error) {
	found, err := c.remnants(ctx, name, own)
	var left []string
	for _, r := range found {
		left = append(left, r.String())
	}
	return left, err
}

// remnants finds what the cluster keeps of a node. It goes on after what may not be listed.
func (c *Client) remnants(ctx context.Context, name string, own Machine) ([]remnant, error) {
	node, err := c.node(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case node != nil && !own.owns(node):
		return nil, &OtherMachineError{Node: name, Whose: whose(node)}
	}
	var found []remnant
	if node != nil && !leaving(node) {
		found = append(found, remnant{nodeKind, "", name, node.UID, c.nodes()})
	}
	var unseen []error
	for _, look := range []func() ([]remnant, error){
		func() ([]remnant, error) { return c.nodeLease(ctx, name) },
		func() ([]remnant, error) { return c.podsOf(ctx, name) },
		func() ([]remnant, error) {
			return c.requestsOf(ctx, name, certificatesv1.KubeAPIServerClientKubeletSignerName, node != nil)
		},
		func() ([]remnant, error) {
			return c.requestsOf(ctx, name, certificatesv1.KubeletServingSignerName, node != nil)
		},
	} {
		some, err := look()
		found = append(found, some...)
		if err != nil {
			unseen = append(unseen, err)
		}
		if err != nil && !isForbidden(err) {
			break
		}
	}
	return found, errors.Join(unseen...)
}

// leaving says that an object was deleted and waits for its finalizers only; a pod also waits for its kubelet, unless it has no time.
func leaving(o metav1.Object) bool {
	grace := o.GetDeletionGracePeriodSeconds()
	return o.GetDeletionTimestamp() != nil && (grace == nil || *grace == 0)
}

func (c *Client) nodeLease(ctx context.Context, name string) ([]remnant, error) {
	api := c.dynamic.Resource(coordinationv1.SchemeGroupVersion.WithResource("leases")).Namespace(corev1.NamespaceNodeLease)
	live, err := c.get(ctx, api, name)
	if err != nil {
		return nil, fmt.Errorf("cannot get Lease %s/%s: %w", corev1.NamespaceNodeLease, name, err)
	}
	if live == nil || leaving(live) {
		return nil, nil
	}
	return []remnant{{"Lease", corev1.NamespaceNodeLease, name, live.GetUID(), api}}, nil
}

// podsOf finds the pods that are bound to a node, also those that have finished. A kubelet may list its own.
func (c *Client) podsOf(ctx context.Context, name string) ([]remnant, error) {
	pods := c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("pods"))
	list, err := c.list(ctx, pods, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.nodeName", name).String()})
	if err != nil {
		return nil, fmt.Errorf("cannot list the pods of Node %s: %w", name, err)
	}
	var found []remnant
	for i := range list {
		if pod := &list[i]; !leaving(pod) {
			found = append(found, remnant{"Pod", pod.GetNamespace(), pod.GetName(), pod.GetUID(), pods.Namespace(pod.GetNamespace())})
		}
	}
	return found, nil
}

// requestsOf finds the requests of a node's kubelet to one signer.
func (c *Client) requestsOf(ctx context.Context, name, signer string, undecided bool) ([]remnant, error) {
	api := c.requests()
	list, err := c.list(ctx, api, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.signerName", signer).String()})
	if err != nil {
		return nil, fmt.Errorf("cannot list the requests for certificates of Node %s: %w", name, err)
	}
	var found []remnant
	for i := range list {
		csr := &certificatesv1.CertificateSigningRequest{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list[i].Object, csr); err != nil || leaving(csr) {
			continue
		}
		if csr.Spec.Username != NodeUser+name && !isFor(csr, name) {
			continue
		}
		if undecided || signingOf(csr).decided() {
			found = append(found, remnant{requestKind, "", csr.Name, csr.UID, api})
		}
	}
	return found, nil
}
