package bench

import (
	"context"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/certificate/csr"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/utils/ptr"

	"github.com/kubewright/kubewright/test/bed"
)

// simulated is the label of the nodes and Leases that are none but in name.
const simulated = "bench"

// certificate asks for the kubelet's client certificate, as a kubelet does, and returns it with its key when it is signed.
func (m *node) certificate(ctx context.Context, client kubernetes.Interface) ([]byte, error) {
	keyPEM, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return nil, err
	}
	key, err := keyutil.ParsePrivateKeyPEM(keyPEM)
	if err != nil {
		return nil, err
	}
	request, err := certutil.MakeCSR(key, &pkix.Name{CommonName: "system:node:" + m.name, Organization: []string{"system:nodes"}}, nil, nil)
	if err != nil {
		return nil, err
	}
	var cert []byte
	err = patiently(ctx, func() error {
		name, uid, err := csr.RequestCertificateWithContext(ctx, client, request, "", certificatesv1.KubeAPIServerClientKubeletSignerName,
			nil, []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth}, key)
		if err != nil {
			return err
		}
		cert, err = csr.WaitForCertificate(ctx, client, name, uid)
		return err
	})
	return slices.Concat(cert, keyPEM), err
}

// register makes the Node and its Lease.
func (m *node) register(ctx context.Context, client kubernetes.Interface) error {
	boot, err := m.host.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	now := metav1.Now()
	labels := map[string]string{
		simulated: "", corev1.LabelHostname: m.name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
	}
	// It stays NotReady, and so nothing is scheduled on it but what runs everywhere.
	object := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: m.name, Labels: labels},
		Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: m.name}, {Type: corev1.NodeInternalIP, Address: m.health.String()}},
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionFalse, Reason: "KubeletNotReady", Message: "a stand-in for a kubelet",
				LastHeartbeatTime: now, LastTransitionTime: now,
			}},
			NodeInfo: corev1.NodeSystemInfo{BootID: strings.TrimSpace(string(boot)), KubeletVersion: bed.KubernetesVersion},
		},
	}
	err = patiently(ctx, func() error {
		_, err := client.CoreV1().Nodes().Create(ctx, object, metav1.CreateOptions{})
		return unlessThere(err)
	})
	if err != nil {
		return fmt.Errorf("cannot create Node %s: %w", m.name, err)
	}
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: m.name, Labels: map[string]string{simulated: ""}},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &m.name, LeaseDurationSeconds: ptr.To[int32](40), RenewTime: &metav1.MicroTime{Time: now.Time},
		},
	}
	return patiently(ctx, func() error {
		_, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Create(ctx, lease, metav1.CreateOptions{})
		return unlessThere(err)
	})
}

func unlessThere(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// patiently tries until it works or ctx ends, as a kubelet does.
func patiently(ctx context.Context, try func() error) error {
	pauses := wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 100, Cap: 7 * time.Second}
	for {
		err := try()
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pauses.Step()):
		}
	}
}
