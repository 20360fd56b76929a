package e2e

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/cluster-bootstrap/token/jws"

	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/test/bed"
)

// listen opens a port on the host's address in the lab's network, where machines reach it.
func listen(t *testing.T, lab *bed.TestLab) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(lab.Gateway(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// silent takes connections and never says a word.
func silent(t *testing.T, lab *bed.TestLab) (endpoint string) {
	t.Helper()
	l := listen(t, lab)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return l.Addr().String()
}

// signer is a CA with its key.
type signer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// newSigner makes a CA that is good for 48 hours, until the time given.
func newSigner(t *testing.T, name string, until time.Time) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	s := signer{template, key}
	s.cert, err = x509.ParseCertificate(s.sign(t, template, key.Public()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clusterCA reads the CA of the cluster off its control plane.
func clusterCA(t *testing.T, cp *bed.Machine) signer {
	t.Helper()
	block, _ := pem.Decode([]byte(cp.ReadFile(t, "/etc/kubernetes/pki/ca.crt")))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyutil.ParsePrivateKeyPEM([]byte(cp.ReadFile(t, "/etc/kubernetes/pki/ca.key")))
	if err != nil {
		t.Fatal(err)
	}
	return signer{cert, key.(crypto.Signer)}
}

func (s signer) sign(t *testing.T, c *x509.Certificate, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, s.cert, public, s.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (s signer) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw})
}

// impostor is a server on the host that passes itself off as the API server, with a certificate of a CA.
type impostor struct {
	ca signer
	// behind is how far its clock is behind, and issued how far from now its certificate was made.
	behind, issued time.Duration
}

// serve starts it.
func (i impostor) serve(t *testing.T, lab *bed.TestLab, h func(address string) http.Handler) (endpoint string) {
	t.Helper()
	l := listen(t, lab)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(i.issued)
	der := i.ca.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(8), Subject: pkix.Name{CommonName: "kube-apiserver"}, IPAddresses: []net.IP{net.ParseIP(lab.Gateway())},
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(time.Hour),
	}, key.Public())
	s := httptest.NewUnstartedServer(h(l.Addr().String()))
	s.Listener.Close()
	s.Listener, s.TLS = l, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return l.Addr().String()
}

// ownInfo answers with a cluster-info of its own, for its own CA and without a signature.
func (i impostor) ownInfo(t *testing.T) func(address string) http.Handler {
	return func(address string) http.Handler {
		objects, err := manifests.ClusterInfo("https://"+address, i.ca.pem())
		if err != nil {
			t.Fatal(err)
		}
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(objects[0])
		})
	}
}

// passes hands all requests on to the cluster, and its answers back. With a token it puts its own address into cluster-info and
// signs it, so that all that follows comes to it, too. Answers carry the time of its clock.
func (i impostor) passes(t *testing.T, cp *bed.Machine, token string) func(address string) http.Handler {
	return func(address string) http.Handler {
		return &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(&url.URL{Scheme: "https", Host: cp.IP() + ":6443"})
				r.Out.Header.Del("Accept-Encoding")
			},
			Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // who is in the middle does not care
			ErrorLog:  log.New(io.Discard, "", 0),
			ModifyResponse: func(resp *http.Response) error {
				resp.Header.Set("Date", time.Now().Add(-i.behind).UTC().Format(http.TimeFormat))
				if token == "" || !strings.HasSuffix(resp.Request.URL.Path, "/cluster-info") {
					return nil
				}
				return readdress(resp, "https://"+address, token)
			},
		}
	}
}

// readdress replaces the server's address in a cluster-info, which the token signs anew.
func readdress(resp *http.Response, server, token string) error {
	info := &corev1.ConfigMap{}
	if err := json.NewDecoder(resp.Body).Decode(info); err != nil {
		return err
	}
	resp.Body.Close()
	lines := strings.Split(info.Data["kubeconfig"], "\n")
	for n, line := range lines {
		if before, _, found := strings.Cut(line, "server: "); found {
			lines[n] = before + "server: " + server
		}
	}
	id, secret, _ := strings.Cut(token, ".")
	info.Data["kubeconfig"] = strings.Join(lines, "\n")
	signature, err := jws.ComputeDetachedSignature(info.Data["kubeconfig"], id, secret)
	if err != nil {
		return err
	}
	info.Data["jws-kubeconfig-"+id] = signature
	data, err := json.Marshal(info)
	resp.Body = io.NopCloser(bytes.NewReader(data))
	resp.ContentLength = int64(len(data))
	resp.Header.Set("Content-Length", strconv.Itoa(len(data)))
	return err
}
