package cmd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/pki"
)

// certificate is a self-signed certificate of a name, in PEM.
func certificate(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// kubeletOf writes a kubelet.conf for a node, whose certificate lies where the kubelet rotates it.
func kubeletOf(t *testing.T, h *host.Host, server, node string, ca []byte) {
	t.Helper()
	kc := clientcmdapi.NewConfig()
	kc.CurrentContext = "c"
	kc.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	kc.Clusters["c"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	kc.AuthInfos["u"] = &clientcmdapi.AuthInfo{ClientCertificate: "/var/lib/kubelet/pki/current.pem"}
	data, err := clientcmd.Write(*kc)
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{
		config.KubeletKubeconfig: data, "/var/lib/kubelet/pki/current.pem": certificate(t, "system:node:"+node),
	} {
		if err := h.MkdirAll(path[:strings.LastIndex(path, "/")], 0o755); err != nil {
			t.Fatal(err)
		}
		if err := h.WriteFile(path, host.FileSpec{Data: data, Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMembershipOf(t *testing.T) {
	h := hosttest.New(t)
	if m, err := membershipOf(h); m != nil || err != nil {
		t.Errorf("a blank machine: %v, %v", m, err)
	}
	ca := certificate(t, "kubernetes")
	kubeletOf(t, h, "https://10.0.0.5:6443", "w1", ca)
	if m, err := membershipOf(h); err != nil || m == nil || m.node != "w1" || string(m.ca) != string(ca) {
		t.Errorf("a node: %+v, %v", m, err)
	}
	hosttest.Close(t, h, config.KubeletKubeconfig)
	err := hosttest.AsNobody(func() error { _, err := membershipOf(h); return err })
	if err == nil || !strings.Contains(err.Error(), config.KubeletKubeconfig+": permission denied\nonly root can tell") {
		t.Errorf("for a user: %v", err)
	}
}

// TestNodeName: a kubelet that was started a moment ago has no credentials yet.
func TestNodeName(t *testing.T) {
	h := hosttest.New(t)
	if name := nodeName(h); name != "" {
		t.Errorf("a blank machine: %q", name)
	}
	c := config.New()
	c.Init.NodeRegistration.Name = "worker"
	flags, err := manifests.WorkerKubeletFlags(c, "w1")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.MkdirAll(config.KubeletDir, 0o755), h.WriteFile(config.KubeletFlagsFile, host.FileSpec{Data: flags, Mode: 0o644})); err != nil {
		t.Fatal(err)
	}
	if name := nodeName(h); name != "worker" {
		t.Errorf("by its flags: %q", name)
	}
	kubeletOf(t, h, "https://10.0.0.5:6443", "credited", certificate(t, "kubernetes"))
	if name := nodeName(h); name != "credited" {
		t.Errorf("by its credentials: %q", name)
	}
}

// TestMeant: own credentials count only for the cluster that is asked for.
func TestMeant(t *testing.T) {
	h := hosttest.New(t)
	ca, other := certificate(t, "kubernetes"), certificate(t, "other")
	kubeletOf(t, h, "https://10.0.0.5:6443", "w1", ca)
	kc, err := loadKubeconfig(h, config.KubeletKubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	pins, err := pki.CAHashes(ca)
	if err != nil {
		t.Fatal(err)
	}
	token := func(endpoint string, pins ...string) *config.Join {
		j := config.NewJoin()
		j.Discovery.BootstrapToken = &config.BootstrapTokenDiscovery{APIServerEndpoint: endpoint, CACertHashes: pins}
		return j
	}
	file := config.NewJoin()
	file.Discovery.File = &config.FileDiscovery{KubeConfigPath: "https://example.org/file"}
	for name, test := range map[string]struct {
		join    *config.Join
		file    []byte
		kubelet []byte
		want    bool
	}{
		"its pin":                {token("10.0.0.9:6443", pins...), nil, ca, true},
		"another pin":            {token("10.0.0.5:6443", "sha256:"+strings.Repeat("ab", 32)), nil, ca, false},
		"no pin, its address":    {token("10.0.0.5:6443"), nil, ca, true},
		"no pin, other address":  {token("10.0.0.9:6443"), nil, ca, false},
		"its file":               {file, ca, ca, true},
		"another's file":         {file, other, ca, false},
		"a file without a CA":    {file, nil, ca, false},
		"the kubelet is another": {token("10.0.0.5:6443", pins...), nil, other, false},
	} {
		if got := meant(test.join, test.file, kc, test.kubelet); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
