package discovery

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/cluster-bootstrap/token/jws"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/manifests"
)

// What init leaves in a cluster is enough for a worker to find it by a token, and to read what it needs, with a real API server
// that the environment variables KUBEWRIGHT_APISERVER_BIN and KUBEWRIGHT_ETCD_BIN name. There is no controller manager: the test
// signs cluster-info itself.
func TestReal(t *testing.T) {
	ca := newCA(t)
	server, admin := realServer(t, ca)
	o := Options{
		Endpoint: strings.TrimPrefix(server, "https://"), TokenID: tokenID, TokenSecret: tokenSecret, CAHashes: []string{ca.pin()},
		Patience: 500 * time.Millisecond,
	}
	mistake := func(want string) {
		t.Helper()
		if _, err := ByToken(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v", err)
		}
	}
	mistake("does not show cluster-info to everybody") // an API server hides what is not there

	c := config.New()
	c.Cluster.ControlPlaneEndpoint = o.Endpoint
	objects, err := manifests.ClusterInfo(c.ControlPlaneURL(), ca.pem)
	if err != nil {
		t.Fatal(err)
	}
	info := objects[0].(*corev1.ConfigMap)
	c.Init.BootstrapTokens = []config.BootstrapToken{{
		Token: &config.BootstrapTokenString{ID: tokenID, Secret: tokenSecret}, Usages: []string{"signing", "authentication"},
		Groups: []string{config.NodeBootstrapTokenAuthGroup},
	}}
	tokens, err := manifests.BootstrapTokens(c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	apply(t, admin, append(objects, manifests.BootstrapTokenRBAC(c)...)...)
	mistake("does not know the token with the ID abcdef")

	signature, err := jws.ComputeDetachedSignature(info.Data["kubeconfig"], tokenID, tokenSecret)
	if err != nil {
		t.Fatal(err)
	}
	info.Data["jws-kubeconfig-"+tokenID] = signature
	apply(t, admin, info)
	o.CAHashes = []string{newCA(t).pin()}
	mistake("is not the one that --discovery-token-ca-cert-hash pins")
	o.CAHashes = []string{ca.pin()}
	found, err := ByToken(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if found.Server != server || string(found.CA) != string(ca.pem) || found.Warnings != nil {
		t.Errorf("found %+v", found)
	}

	node, err := cluster.New(found.Kubeconfig, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := node.NodeReady(t.Context(), "w1"); err == nil || !strings.Contains(err.Error(), "Unauthorized") {
		t.Errorf("a token that is not there: %v", err)
	}
	if err := admin.CreateToken(t.Context(), tokens[0], false); err != nil {
		t.Fatal(err)
	}
	if err := admin.CreateToken(t.Context(), tokens[0], false); err == nil || !strings.Contains(err.Error(), "there is a token with this ID already") {
		t.Errorf("a second token: %v", err)
	}
	eventually(t, func() error { // the authenticator has to see the token first
		exists, _, err := node.NodeReady(t.Context(), "w1")
		if exists {
			return errors.New("there is a node")
		}
		return err
	})
	apply(t, admin, append(manifests.KubeadmConfigRBAC(c), manifests.KubeletConfigRBAC(c)...)...)
	eventually(t, func() error { // a token may read these two, which are not there
		stored, err := node.NodeConfiguration(t.Context())
		if err == nil && (stored.Cluster != nil || stored.Kubelet != nil) {
			return errors.New("there is a configuration")
		}
		return err
	})
	list, err := admin.ListTokens(t.Context())
	if err != nil || len(list) != 1 || string(list[0].Data["token-id"]) != tokenID {
		t.Errorf("tokens: %d, %v", len(list), err)
	}
	if err := admin.DeleteToken(t.Context(), tokenID, false); err != nil {
		t.Error(err)
	}
	if err := admin.DeleteToken(t.Context(), tokenID, false); err == nil {
		t.Error("a token was deleted twice")
	}

	file := brought(t, server, nil, &clientcmdapi.AuthInfo{Token: "root"})
	file.Clusters["prod"].CertificateAuthorityData = ca.pem
	text, err := clientcmd.Write(*file)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := ByFile(t.Context(), text, os.ReadFile, Options{}); err != nil || found.Warnings != nil {
		t.Errorf("by file: %+v, %v", found, err)
	}
	realLock(t, admin)
}

// realLock has two take the lock, one after the other.
func realLock(t *testing.T, admin *cluster.Client) {
	t.Helper()
	first, err := admin.Lock(t.Context(), "etcd", "first", cluster.LockOptions{TTL: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if _, err := admin.Lock(ctx, "etcd", "second", cluster.LockOptions{TTL: time.Second}); err == nil || !strings.Contains(err.Error(), "held by first (") {
		t.Errorf("the lock of somebody else: %v", err)
	}
	first.Unlock()
	second, err := admin.Lock(t.Context(), "etcd", "second", cluster.LockOptions{TTL: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	second.Unlock()
}

func apply(t *testing.T, c *cluster.Client, objects ...runtime.Object) {
	t.Helper()
	for _, obj := range objects {
		if _, err := c.Apply(t.Context(), obj, false); err != nil {
			t.Fatal(err)
		}
	}
}

func eventually(t *testing.T, f func() error) {
	t.Helper()
	var err error
	for range 100 {
		if err = f(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal(err)
}

// realServer starts etcd and kube-apiserver on loopback; the client is a member of system:masters.
func realServer(t *testing.T, ca *authority) (url string, admin *cluster.Client) {
	t.Helper()
	api, etcd := os.Getenv("KUBEWRIGHT_APISERVER_BIN"), os.Getenv("KUBEWRIGHT_ETCD_BIN")
	if api == "" || etcd == "" {
		t.Skip("KUBEWRIGHT_APISERVER_BIN and KUBEWRIGHT_ETCD_BIN are not set")
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sa, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	saKey := write("sa.key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(sa)}))
	leaf := ca.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	der, err := x509.MarshalECPrivateKey(leaf.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	cert := write("tls.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}))
	key := write("tls.key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	csv := write("tokens.csv", []byte("root,root,1,system:masters\n"))
	etcdURL, peerURL, secure := "http://"+hosttest.FreeAddress(t), "http://"+hosttest.FreeAddress(t), hosttest.FreeAddress(t)
	_, port, _ := net.SplitHostPort(secure)
	start(t, dir, etcd, "etcd", "--data-dir="+dir+"/etcd", "--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL,
		"--listen-peer-urls="+peerURL, "--initial-advertise-peer-urls="+peerURL, "--initial-cluster=default="+peerURL)
	start(t, dir, api, "kube-apiserver", "--etcd-servers="+etcdURL, "--bind-address=127.0.0.1", "--secure-port="+port,
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--tls-cert-file="+cert, "--tls-private-key-file="+key,
		"--service-account-issuer=https://test", "--service-account-key-file="+saKey, "--service-account-signing-key-file="+saKey,
		"--token-auth-file="+csv, "--authorization-mode=Node,RBAC", "--enable-bootstrap-token-auth",
		"--disable-admission-plugins=ServiceAccount", "--service-cluster-ip-range=10.96.0.0/12")
	url = "https://" + secure
	text, err := (&kubeconfig{name: "a", userName: "root", cluster: &clientcmdapi.Cluster{Server: url, CertificateAuthorityData: ca.pem},
		user: &clientcmdapi.AuthInfo{Token: "root"}}).encode()
	if err != nil {
		t.Fatal(err)
	}
	if admin, err = cluster.New(text, cluster.Options{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	for admin.Up(ctx) != nil {
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(dir + "/kube-apiserver.log")
			t.Fatalf("kube-apiserver does not come up: %v\n%s", admin.Up(t.Context()), log[max(0, len(log)-3000):])
		case <-time.After(100 * time.Millisecond):
		}
	}
	return url, admin
}

// start runs a binary until the test ends; a kube-apiserver may be part of a larger binary that goes by its name.
func start(t *testing.T, dir, binary, name string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Args[0] = name
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(fmt.Errorf("cannot start %s: %w", name, err))
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
	})
}
