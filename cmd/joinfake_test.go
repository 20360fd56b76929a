package cmd

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/cluster-bootstrap/token/jws"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/pki"
)

const (
	tokenID, tokenSecret = "abcdef", "0123456789abcdef"
	joinToken            = tokenID + "." + tokenSecret
)

// fakeCluster is an API server with what init leaves for those who join; or, of newUnborn, with nothing.
type fakeCluster struct {
	*httptest.Server
	pki    map[string][]byte // the shared files, by path
	caCert *x509.Certificate
	caKey  crypto.Signer
	unborn bool
	// reaper may kill the run that sends requests.
	reaper *reaper
	// trusted are the signatures of certificates that were checked.
	trusted sync.Map

	mu       sync.Mutex
	requests []string
	objects  map[string]any            // by path; a Node is shown to watchers, too
	applied  map[string]map[string]any // what was applied last, by path
	versions int
	// clusterInfo is the address in cluster-info, the server's own when empty.
	clusterInfo string
	// ahead is the server's clock.
	ahead time.Duration
	// roleless is a server that serves and has not made the role of the administrators yet; unhealthy is one that has not made all.
	roleless, unhealthy bool
	// refuse answers a request with an error instead, when it does not return 0.
	refuse func(r *http.Request) int
	// disturb, when set, chooses what happens to a request in place of its answer; nil is nothing.
	disturb func(r *http.Request) disturbance
}

const clusterConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.2
clusterName: kubernetes
encryptionAlgorithm: ECDSA-P256
controlPlaneEndpoint: %s
networking: {serviceSubnet: 10.96.0.0/12}
etcd: {external: {endpoints: [https://10.9.0.7:2379], caFile: /etc/etcd/ca.pem, certFile: /etc/etcd/client.pem, keyFile: /etc/etcd/client.secret}}
`

const kubeletConfig = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nhealthzPort: 0\n"

func newCluster(t *testing.T) *fakeCluster {
	t.Helper()
	c := &fakeCluster{objects: map[string]any{adminBinding: map[string]any{}}, applied: map[string]map[string]any{}, pki: map[string][]byte{
		"/etc/etcd/ca.pem": []byte("ca\n"), "/etc/etcd/client.pem": []byte("client\n"), "/etc/etcd/client.secret": []byte("its PRIVATE KEY\n"),
	}}
	first := config.New()
	if err := first.SetDefaults(config.Dynamic{Hostname: "cp1", AdvertiseAddress: "127.0.0.1", CRISocket: "unix:///run/x.sock",
		Token: func() (string, error) { return joinToken, nil }}); err != nil {
		t.Fatal(err)
	}
	set := pki.Plan(pki.Input{Config: first, Now: time.Now(), Rand: rand.Reader,
		Read: readFrom(nil)})
	for _, row := range []string{"ca", "front-proxy-ca", "sa"} {
		files, err := set.Files(row)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			c.pki[f.Path] = f.Data
		}
	}
	if err := c.trust(); err != nil {
		t.Fatal(err)
	}
	cert, certKey := c.issue(t, "kube-apiserver", time.Hour)
	pair, err := tls.X509KeyPair(cert, certKey)
	if err != nil {
		t.Fatal(err)
	}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	c.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	c.Config.ErrorLog = log.New(io.Discard, "", 0)
	c.StartTLS()
	t.Cleanup(c.Close)
	const system = "/api/v1/namespaces/kube-system/configmaps/"
	c.objects[system+"kubeadm-config"] = configMap("ClusterConfiguration", fmt.Sprintf(clusterConfig, c.endpoint()))
	c.objects[system+"kubelet-config"] = configMap("kubelet", kubeletConfig)
	return c
}

// trust makes the CA among the shared files that of the cluster.
func (c *fakeCluster) trust() error {
	block, _ := pem.Decode(c.pki["/etc/kubernetes/pki/ca.crt"])
	if block == nil {
		return errors.New("no ca.crt")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	key, err := keyutil.ParsePrivateKeyPEM(c.pki["/etc/kubernetes/pki/ca.key"])
	if err != nil {
		return err
	}
	c.caCert, c.caKey = cert, key.(crypto.Signer)
	c.trusted.Clear()
	return nil
}

func readFrom(files map[string][]byte) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if data, ok := files[path]; ok {
			return data, nil
		}
		return nil, fs.ErrNotExist
	}
}

func configMap(key, text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, Data: map[string]string{key: text}}
}

func (c *fakeCluster) endpoint() string { return strings.TrimPrefix(c.URL, "https://") }

// issue signs a certificate for this machine's loopback address and returns it with its key.
func (c *fakeCluster) issue(t *testing.T, name string, life time.Duration) (cert, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name, Organization: []string{"system:nodes"}},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(life),
	}, c.caCert, own.Public(), c.caKey)
	if err != nil {
		t.Fatal(err)
	}
	text, err := keyutil.MarshalPrivateKeyToPEM(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), text
}

func (c *fakeCluster) serve(w http.ResponseWriter, r *http.Request) {
	if c.disturb != nil {
		if other := c.disturb(r); other != nil {
			other(w, r, c.answer)
			return
		}
	}
	c.answer(w, r)
}

func (c *fakeCluster) answer(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.requests = append(c.requests, r.Method+" "+r.URL.Path)
	refuse, ahead, unhealthy := c.refuse, c.ahead, c.unhealthy
	c.mu.Unlock()
	w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	code := 0
	if refuse != nil {
		code = refuse(r)
	}
	switch {
	case code != 0:
	case !c.known(r):
		code = http.StatusUnauthorized
	case c.forbidden(r):
		code = http.StatusForbidden
	}
	obj := any(nil)
	switch {
	case code != 0:
	case (r.URL.Path == "/readyz" || r.URL.Path == "/livez") && unhealthy:
		code = http.StatusInternalServerError
	case r.URL.Path == "/readyz" || r.URL.Path == "/livez":
	case strings.HasSuffix(r.URL.Path, "/cluster-info") && !c.unborn:
		obj = c.info()
	case r.URL.Query().Get("watch") != "":
		c.watch(w, r)
		return
	default:
		obj, code = c.around(r, func() (any, int) { return c.object(r) })
	}
	if code != 0 {
		reason := strings.ReplaceAll(http.StatusText(code), " ", "")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":"refused","code":%d}`, reason, code)
		return
	}
	_ = json.NewEncoder(w).Encode(obj)
}

func (c *fakeCluster) info() *corev1.ConfigMap {
	server := c.clusterInfo
	if server == "" {
		server = c.URL
	}
	objects, err := manifests.ClusterInfo(server, c.pki["/etc/kubernetes/pki/ca.crt"])
	if err != nil {
		panic(err)
	}
	cm := objects[0].(*corev1.ConfigMap)
	signature, err := jws.ComputeDetachedSignature(cm.Data["kubeconfig"], tokenID, tokenSecret)
	if err != nil {
		panic(err)
	}
	cm.Data["jws-kubeconfig-"+tokenID] = signature
	return cm
}

// watch tells of the Node that the field selector names, once it is there.
func (c *fakeCluster) watch(w http.ResponseWriter, r *http.Request) {
	_, name, _ := strings.Cut(r.URL.Query().Get("fieldSelector"), "metadata.name=")
	w.(http.Flusher).Flush()
	for r.Context().Err() == nil {
		c.mu.Lock()
		node := c.objects["/api/v1/nodes/"+name]
		c.mu.Unlock()
		if node != nil {
			_ = json.NewEncoder(w).Encode(map[string]any{"type": "ADDED", "object": node})
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// register makes a Node, or reports for the one that is there.
func (c *fakeCluster) register(name string, ready corev1.ConditionStatus) {
	path := "/api/v1/nodes/" + name
	status := corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.9.0.2"}}, Conditions: []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: ready, LastHeartbeatTime: metav1.NewTime(time.Now().Add(2 * time.Second)),
	}}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if have, ok := c.objects[path].(map[string]any); ok {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
		if err != nil {
			panic(err)
		}
		have["status"] = content
		c.store(path, have)
		return
	}
	c.objects[path] = &corev1.Node{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
		Status:     status,
	}
}

// asked returns the requests since the last time.
func (c *fakeCluster) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.requests
	c.requests = nil
	return list
}
