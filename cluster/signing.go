package cluster

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
)

// Signing is how far the request of a kubelet for its client certificate has come.
type Signing struct {
	// Request is the name of the CertificateSigningRequest.
	Request string
	// Created is when it was made, by the API server's clock.
	Created time.Time
	// Refused says why it will not be signed; empty when it may be.
	Refused string
	// Approved says that somebody has approved it, and Issued that the certificate is there.
	Approved, Issued bool
}

// String says it for people, with what can be done.
func (s *Signing) String() string {
	switch {
	case s == nil:
		return "the cluster has no request of this kubelet for a certificate yet"
	case s.Refused != "":
		return fmt.Sprintf("the request of this kubelet for its certificate was refused (%s): %s; to ask again: kubectl delete csr %[1]s, and join again",
			s.Request, s.Refused)
	case s.Issued:
		return fmt.Sprintf("the certificate of this kubelet was made (%s), and the kubelet has not fetched it yet", s.Request)
	case s.Approved:
		return fmt.Sprintf("the request of this kubelet for its certificate is approved (%s), and nobody has signed it: does the controller manager "+
			"run, and has it the CA's key?", s.Request)
	}
	return fmt.Sprintf("nobody has approved the request of this kubelet for its certificate; to do it: kubectl certificate approve %s", s.Request)
}

// KubeletSigning finds the newest request for the client certificate of a node; nil when there is none. A bootstrap token may ask.
// It is one request, which is not tried again, and its answer may be long.
func (c *Client) KubeletSigning(ctx context.Context, node string) (*Signing, error) {
	list, err := c.requests().List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("spec.signerName", certificatesv1.KubeAPIServerClientKubeletSignerName).String(),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list the requests for certificates: %w", err)
	}
	var newest *certificatesv1.CertificateSigningRequest
	for i := range list.Items {
		csr := &certificatesv1.CertificateSigningRequest{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, csr); err != nil || !isFor(csr, node) {
			continue
		}
		if newest == nil || newest.CreationTimestamp.Before(&csr.CreationTimestamp) {
			newest = csr
		}
	}
	if newest == nil {
		return nil, nil
	}
	return signingOf(newest), nil
}

// decided says that nothing more will become of the request.
func (s *Signing) decided() bool { return s.Issued || s.Refused != "" }

func signingOf(csr *certificatesv1.CertificateSigningRequest) *Signing {
	s := &Signing{Request: csr.Name, Created: csr.CreationTimestamp.Time, Issued: len(csr.Status.Certificate) > 0}
	for _, condition := range csr.Status.Conditions {
		switch {
		case condition.Status != corev1.ConditionTrue && condition.Status != "":
		case condition.Type == certificatesv1.CertificateApproved:
			s.Approved = true
		case condition.Type == certificatesv1.CertificateDenied, condition.Type == certificatesv1.CertificateFailed:
			s.Refused = fmt.Sprintf("%s: %s %s", condition.Type, condition.Reason, condition.Message)
		}
	}
	return s
}

func (c *Client) requests() dynamic.ResourceInterface {
	return c.dynamic.Resource(certificatesv1.SchemeGroupVersion.WithResource("certificatesigningrequests"))
}

func isFor(csr *certificatesv1.CertificateSigningRequest, node string) bool {
	block, _ := pem.Decode(csr.Spec.Request)
	if block == nil {
		return false
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	return err == nil && request.Subject.CommonName == NodeUser+node
}
