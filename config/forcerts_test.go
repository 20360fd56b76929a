package config

import (
	"strings"
	"testing"
	"time"
)

func TestForCertificates(t *testing.T) {
	c := New()
	if err := c.ForCertificates(); err != nil || c.Cluster.CertificatesDir != DefaultCertificatesDir ||
		c.Cluster.CertificateValidityPeriod.Duration != 365*24*time.Hour || c.Cluster.EncryptionAlgorithm != EncryptionAlgorithmECDSAP256 || c.ExternalEtcd() {
		t.Errorf("of nothing: %v, %+v", err, c.Cluster)
	}
	const head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
	c, err := StoredForCertificates([]byte(head + "kubernetesVersion: v1.20.0\ncertificatesDir: /pki\ncertificateValidityPeriod: 24h0m0s\nlater: x\n" +
		"etcd: {external: {endpoints: [\"https://192.0.2.1:2379\"]}}\n"))
	if err != nil || c.Cluster.CertificatesDir != "/pki" || c.Cluster.CertificateValidityPeriod.Duration != 24*time.Hour ||
		c.Cluster.EncryptionAlgorithm != EncryptionAlgorithmRSA2048 || !c.ExternalEtcd() || len(c.Warnings) != 1 {
		t.Errorf("stored: %v, %+v, warnings %v", err, c, c.Warnings)
	}
	for _, tc := range []struct{ text, want string }{
		{head + "encryptionAlgorithm: DSA\n", "encryptionAlgorithm"},
		{"kind: Pod\n", "needs apiVersion and kind"},
		{"", "kubeadm-config"},
	} {
		if _, err := StoredForCertificates([]byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v", tc.text, err)
		}
	}
}
