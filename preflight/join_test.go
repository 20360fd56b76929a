package preflight

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
)

// joinCA is the CA of the cluster that is joined, otherCA another one.
var joinCA, otherCA = authority("ours"), authority("theirs")

func authority(name string) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func joinFindings(t *testing.T, controlPlane bool, prepare func(*lab)) []string {
	t.Helper()
	l := newLab(t, "")
	prepare(l)
	j := Joining{ControlPlane: controlPlane, Endpoint: "10.9.0.1:6443", CA: []byte(joinCA), CACertPath: "/etc/kubernetes/pki/ca.crt"}
	report := Run(t.Context(), Join(l.c, l.m, l.resume, j), nil)
	var found []string
	for _, f := range report.Errors {
		found = append(found, f.Check)
	}
	return found
}

func kubeconfigOf(ca string) string {
	data, err := yaml.Marshal(clientcmdapi.Config{Clusters: []clientcmdapi.NamedCluster{{
		Name: "default", Cluster: clientcmdapi.Cluster{Server: "https://10.9.0.1:6443", CertificateAuthorityData: []byte(ca)},
	}}})
	if err != nil {
		panic(err)
	}
	return string(data)
}

func TestJoinFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		controlPlane bool
		prepare      func(*lab)
		want         []string
	}{
		"blank":               {false, func(*lab) {}, nil},
		"blank control plane": {true, func(*lab) {}, nil},
		"joined before": {false, func(l *lab) {
			l.write(config.KubeletKubeconfig, kubeconfigOf(joinCA))
			l.write("/etc/kubernetes/pki/ca.crt", joinCA)
		}, nil},
		"joined before, as far as etcd's data": {true, func(l *lab) {
			l.write(config.KubeletKubeconfig, kubeconfigOf(joinCA))
			l.write("/var/lib/etcd/member/wal/0.wal", "")
			l.write("/var/lib/etcd/member.removed-20261124T120000Z/wal/0.wal", "")
		}, nil},
		"somebody's data": {true, func(l *lab) {
			l.write("/var/lib/etcd/member/wal/0.wal", "")
		}, []string{"DirAvailable--var-lib-etcd"}},
		"CA being replaced": {false, func(l *lab) {
			l.write(config.KubeletKubeconfig, kubeconfigOf(otherCA+joinCA))
			l.write("/etc/kubernetes/pki/ca.crt", otherCA+joinCA)
		}, nil},
		"interrupted": {false, func(l *lab) {
			l.write(config.BootstrapKubeletKubeconfig, kubeconfigOf(joinCA))
		}, nil},
		"another cluster": {false, func(l *lab) { l.write(config.KubeletKubeconfig, kubeconfigOf(otherCA)) }, []string{"FileAvailable--etc-kubernetes-kubelet.conf"}},
		"damaged":         {false, func(l *lab) { l.write(config.KubeletKubeconfig, "{") }, []string{"FileAvailable--etc-kubernetes-kubelet.conf"}},
		"another CA":      {false, func(l *lab) { l.write("/etc/kubernetes/pki/ca.crt", otherCA) }, []string{"FileAvailable--etc-kubernetes-pki-ca.crt"}},
		"control plane's manifest": {false, func(l *lab) { l.write("/etc/kubernetes/manifests/etcd.yaml", "{}") },
			[]string{"FileAvailable--etc-kubernetes-manifests-etcd.yaml"}},
		"static pod": {false, func(l *lab) { l.write("/etc/kubernetes/manifests/haproxy.yaml", "{}") }, nil},
		"control plane that looks like a worker": {false, func(l *lab) {
			l.write("/etc/kubernetes/manifests/etcd.yaml", "{}")
			l.write(config.KubeletKubeconfig, kubeconfigOf(joinCA))
		}, nil},
		"CA of a control plane": {true, func(l *lab) { l.write("/etc/kubernetes/pki/ca.crt", otherCA) }, nil},
	} {
		if got := joinFindings(t, tc.controlPlane, tc.prepare); !slices.Equal(got, tc.want) {
			t.Errorf("%s: found %v, want %v", name, got, tc.want)
		}
	}
}
