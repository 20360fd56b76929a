package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// csr is the request of a node, made so many minutes after the first.
func csr(t *testing.T, node string, minutes int, types ...certificatesv1.RequestConditionType) certificatesv1.CertificateSigningRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:" + node}}, key)
	if err != nil {
		t.Fatal(err)
	}
	c := certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{
		Name: "csr-" + node, CreationTimestamp: metav1.NewTime(time.Unix(0, 0).Add(time.Duration(minutes) * time.Minute)),
	}}
	c.Spec.Request = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	for _, kind := range types {
		c.Status.Conditions = append(c.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: kind, Status: "True", Reason: "ByUser", Message: "who are you?",
		})
	}
	return c
}

// TestKubeletSigning: the newest request of this node counts, and what it is waiting for is said.
func TestKubeletSigning(t *testing.T) {
	issued := csr(t, "w1", 3, certificatesv1.CertificateApproved)
	issued.Status.Certificate = []byte("x")
	for name, test := range map[string]struct {
		list []certificatesv1.CertificateSigningRequest
		want string
	}{
		"none":     {nil, "has no request of this kubelet"},
		"others'":  {[]certificatesv1.CertificateSigningRequest{csr(t, "w2", 1)}, "has no request of this kubelet"},
		"pending":  {[]certificatesv1.CertificateSigningRequest{csr(t, "w2", 9), csr(t, "w1", 1)}, "kubectl certificate approve csr-w1"},
		"denied":   {[]certificatesv1.CertificateSigningRequest{csr(t, "w1", 1, certificatesv1.CertificateDenied)}, "Denied: ByUser who are you?; to ask again: kubectl delete csr csr-w1"},
		"unsigned": {[]certificatesv1.CertificateSigningRequest{csr(t, "w1", 1, certificatesv1.CertificateApproved)}, "nobody has signed it: does the controller manager run"},
		"again":    {[]certificatesv1.CertificateSigningRequest{issued, csr(t, "w1", 1, certificatesv1.CertificateDenied)}, "was made (csr-w1)"},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.URL.Query().Get("fieldSelector"); got != "spec.signerName=kubernetes.io/kube-apiserver-client-kubelet" {
				t.Errorf("field selector %s", got)
			}
			body, err := json.Marshal(certificatesv1.CertificateSigningRequestList{
				TypeMeta: metav1.TypeMeta{APIVersion: "certificates.k8s.io/v1", Kind: "CertificateSigningRequestList"}, Items: test.list,
			})
			if err != nil {
				t.Error(err)
			}
			echo(w, body)
		})
		s, err := c.KubeletSigning(t.Context(), "w1")
		if err != nil || !strings.Contains(s.String(), test.want) {
			t.Errorf("%s: %s, %v", name, s, err)
		}
	}
}
