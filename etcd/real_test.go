package etcd

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/host/hosttest"
)

// TestReal needs an etcd binary, named by KUBEWRIGHT_ETCD_BIN.
func TestReal(t *testing.T) {
	binary := os.Getenv("KUBEWRIGHT_ETCD_BIN")
	if binary == "" {
		t.Skip("KUBEWRIGHT_ETCD_BIN is not set")
	}
	url, peer := "https://"+hosttest.FreeAddress(t), "http://"+hosttest.FreeAddress(t)
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	cmd := exec.Command(binary, "--cert-file="+dir+"/cert", "--key-file="+dir+"/key", "--trusted-ca-file="+dir+"/cert", "--client-cert-auth",
		"--name=m1", "--data-dir="+dir+"/data", "--listen-client-urls="+url, "--advertise-client-urls="+url,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=m1="+peer)
	cmd.Args[0] = "etcd"
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	c, err := Open([]string{url}, cert, cert, key)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for c.Healthy(ctx) != nil && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	if err := c.Healthy(ctx); err != nil {
		t.Fatal(err)
	}
	overGRPC, err := c.Version(ctx)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := TLS(cert, cert, key)
	if err != nil {
		t.Fatal(err)
	}
	overHTTP, err := ExternalVersion(ctx, url, trust)
	if err != nil || overHTTP != overGRPC || !strings.HasPrefix(overHTTP, "3.") {
		t.Errorf("versions %q and %q, %v", overGRPC, overHTTP, err)
	}
	members, err := c.Members(ctx)
	if err != nil || len(members) != 1 || members[0].Name != "m1" || members[0].PeerURLs[0] != peer || members[0].Learner {
		t.Errorf("members %+v, %v", members, err)
	}

	anonymous, err := Open([]string{url}, cert, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer anonymous.Close()
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := anonymous.Version(short); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without a client certificate: %v", err)
	}
}

// selfSigned makes one certificate that is authority, server and client, and writes it and its key to dir.
func selfSigned(t *testing.T, dir string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	for name, data := range map[string][]byte{"cert": cert, "key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
