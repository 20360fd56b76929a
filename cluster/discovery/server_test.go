package discovery

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/cluster-bootstrap/token/jws"
)

const (
	tokenID, tokenSecret = "abcdef", "0123456789abcdef"
	infoPath             = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
)

// authority is a CA.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newCA(t *testing.T, life ...time.Time) *authority {
	t.Helper()
	a := &authority{}
	from, to := time.Now().Add(-5*time.Minute), time.Now().Add(240*time.Hour)
	if len(life) == 2 {
		from, to = life[0], life[1]
	}
	a.pem, a.key = a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "kubernetes"}, NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	a.cert = certificates(a.pem)[0]
	return a
}

// issue signs a certificate; a CA without a certificate signs its own.
func (a *authority) issue(t *testing.T, c *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key
}

func (a *authority) pin() string {
	sum := sha256.Sum256(a.cert.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// leaf is a server's certificate for 127.0.0.1, good for an hour if change does not say otherwise.
func (a *authority) leaf(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: "kube-apiserver"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-5 * time.Minute), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(c)
	}
	text, key := a.issue(t, c)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// api is an API server that counts its requests.
type api struct {
	*httptest.Server
	requests atomic.Int32
}

func (a *api) endpoint() string { return strings.TrimPrefix(a.URL, "https://") }

// serve starts a TLS server that answers the n-th request, counted from 1, by h.
func serve(t *testing.T, config *tls.Config, h func(w http.ResponseWriter, r *http.Request, n int)) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != infoPath {
			t.Errorf("somebody asks for %s", r.URL)
		}
		h(w, r, int(a.requests.Add(1)))
	}))
	a.TLS = config
	a.Config.ErrorLog = log.New(io.Discard, "", 0)
	a.StartTLS()
	t.Cleanup(a.Close)
	return a
}

// info is cluster-info's kubeconfig, as kubeadm writes it.
func info(t *testing.T, server string, ca []byte) string {
	t.Helper()
	data, err := clientcmd.Write(clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{
		"": {Server: server, CertificateAuthorityData: ca},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// signed answers with a ConfigMap cluster-info that the token with this secret has signed; with none when it is empty.
func signed(w http.ResponseWriter, kubeconfig, secret string) {
	data := map[string]string{"kubeconfig": kubeconfig}
	if secret != "" {
		signature, err := jws.ComputeDetachedSignature(kubeconfig, tokenID, secret)
		if err != nil {
			panic(err)
		}
		data["jws-kubeconfig-"+tokenID] = signature
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "ConfigMap", "apiVersion": "v1", "metadata": map[string]any{"name": "cluster-info", "namespace": "kube-public"}, "data": data,
	})
}

// refuse answers as the API server does.
func refuse(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":"no","code":%d}`, reason, code)
}

// good is an API server as it should be, and options that fit it.
func good(t *testing.T) (*api, *authority, Options) {
	t.Helper()
	ca := newCA(t)
	var text string
	a := serve(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil)}}, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Header.Get("Authorization") != "" {
			t.Error("it was sent credentials")
		}
		if name := r.UserAgent(); name != "kubewright" {
			t.Errorf("the audit log would name %q", name)
		}
		signed(w, text, tokenSecret)
	})
	text = info(t, "https://cluster.example:6443", ca.pem)
	return a, ca, options(a, ca)
}

func options(a *api, ca *authority) Options {
	return Options{
		Endpoint: a.endpoint(), TokenID: tokenID, TokenSecret: tokenSecret, CAHashes: []string{ca.pin()}, Patience: 300 * time.Millisecond,
	}
}
