package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestRealRemoveNode: what the credentials of a kubelet may do, and that an administrator can do the rest.
func TestRealRemoveNode(t *testing.T) {
	masters, _ := realServer(t)
	kubelet := client(t, masters.Server(), nil, "kubelet")
	ctx, own := t.Context(), ownMachine()
	node := reported(nodeOf("before", "machine", "10.0.0.1"), own.Booted.Add(-time.Hour))
	node.Labels = map[string]string{LabelControlPlane: ""}
	pod := &corev1.Pod{TypeMeta: typeMeta("v1", "Pod"), ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-1"},
		Spec: corev1.PodSpec{NodeName: "w1", Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	elsewhere := pod.DeepCopy()
	elsewhere.Name, elsewhere.Spec.NodeName = "web-2", "w2"
	lease := &coordinationv1.Lease{TypeMeta: typeMeta("coordination.k8s.io/v1", "Lease"),
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-node-lease", Name: "w1"}}
	request := csr(t, "w1", 0)
	request.TypeMeta, request.Spec.SignerName = typeMeta("certificates.k8s.io/v1", "CertificateSigningRequest"), certificatesv1.KubeletServingSignerName
	request.Spec.Usages = []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth}
	for _, obj := range []runtime.Object{node, pod, elsewhere, lease, &request} {
		must(t, func() error { _, err := masters.Apply(ctx, obj, false); return err })
	}
	var other *OtherMachineError
	if _, err := kubelet.NodeLeftovers(ctx, "w1", own); !errors.As(err, &other) {
		t.Errorf("a Node of which nobody knows whose it is: %v", err)
	}
	must(t, func() error {
		live, err := masters.nodes().Get(ctx, "w1", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if live.Object["status"], err = runtime.DefaultUnstructuredConverter.ToUnstructured(&node.Status); err != nil {
			return err
		}
		_, err = masters.nodes().UpdateStatus(ctx, live, metav1.UpdateOptions{})
		return err
	})
	everything := []string{"Node w1", "Lease kube-node-lease/w1", "Pod default/web-1", "CertificateSigningRequest csr-w1"}
	left, err := kubelet.NodeLeftovers(ctx, "w1", own)
	if d := cmp.Diff(everything, left); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	if _, err := kubelet.NodeLeftovers(ctx, "w2", own); !isForbidden(err) {
		t.Errorf("of another node: %v", err)
	}
	err = kubelet.RemoveNode(ctx, "w1", own)
	kept := (*KeptError)(nil)
	if !errors.As(err, &kept) {
		t.Fatal(err)
	}
	t.Log(err)
	if d := cmp.Diff([]string{everything[0], everything[3]}, kept.Objects); d != "" {
		t.Error(d)
	}
	if exists, ready, err := masters.NodeReady(ctx, "w1"); !exists || ready || err != nil {
		t.Errorf("exists %v, ready %v, %v", exists, ready, err)
	}
	if live, err := masters.node(ctx, "w1"); err != nil || len(live.Status.Conditions) != 1 || live.Status.Conditions[0].Reason != "KubeletStopped" ||
		live.Status.NodeInfo.BootID != "before" {
		t.Errorf("%+v, %v", live, err)
	}
	if names, err := masters.ControlPlaneNodes(ctx); err != nil || len(names) != 1 || names[0] != "w1" {
		t.Errorf("%q, %v", names, err)
	}
	must(t, func() error { return masters.RemoveNode(ctx, "w1", own) })
	if left, err := masters.NodeLeftovers(ctx, "w1", own); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
	if found, err := masters.Exists(ctx, elsewhere); err != nil || !found {
		t.Errorf("the pod of another node: %v, %v", found, err)
	}
}
