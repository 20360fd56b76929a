package cluster

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/host/hosttest"
)

// realServer starts etcd and kube-apiserver from the binaries that two environment variables name, and returns clients
// of a member of system:masters and of one of kubeadm:cluster-admins.
func realServer(t *testing.T) (masters, admin *Client) {
	t.Helper()
	api, etcd := os.Getenv("KUBEWRIGHT_APISERVER_BIN"), os.Getenv("KUBEWRIGHT_ETCD_BIN")
	if api == "" || etcd == "" {
		t.Skip("KUBEWRIGHT_APISERVER_BIN and KUBEWRIGHT_ETCD_BIN are not set")
	}
	dir := t.TempDir()
	etcdURL, peerURL := "http://"+hosttest.FreeAddress(t), "http://"+hosttest.FreeAddress(t)
	secure := hosttest.FreeAddress(t)
	_, port, _ := net.SplitHostPort(secure)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	saKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	write(t, dir, "sa.key", saKey)
	write(t, dir, "tokens.csv", []byte("root,root,1,system:masters\nadmin,kubernetes-admin,2,kubeadm:cluster-admins\n"+
		"kubelet,system:node:w1,3,system:nodes\n"))

	start(t, dir, etcd, "etcd", "--data-dir="+dir+"/etcd", "--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL,
		"--listen-peer-urls="+peerURL, "--initial-advertise-peer-urls="+peerURL, "--initial-cluster=default="+peerURL)
	start(t, dir, api, "kube-apiserver", "--etcd-servers="+etcdURL, "--bind-address=127.0.0.1", "--secure-port="+port,
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--cert-dir="+dir+"/certs", "--service-account-issuer=https://test", "--service-account-key-file="+dir+"/sa.key",
		"--service-account-signing-key-file="+dir+"/sa.key", "--token-auth-file="+dir+"/tokens.csv",
		"--authorization-mode=Node,RBAC", "--enable-bootstrap-token-auth", "--enable-admission-plugins=NodeRestriction", "--disable-admission-plugins=ServiceAccount",
		"--service-cluster-ip-range=10.96.0.0/12")

	masters, admin = client(t, "https://"+secure, nil, "root"), client(t, "https://"+secure, nil, "admin")
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for masters.Up(ctx) != nil {
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(dir + "/kube-apiserver.log")
			t.Fatalf("kube-apiserver does not come up: %v\n%s", masters.Up(t.Context()), log[max(0, len(log)-3000):])
		case <-time.After(100 * time.Millisecond):
		}
	}
	return masters, admin
}

func TestRealApply(t *testing.T) {
	c, _ := realServer(t)
	ctx := t.Context()
	for _, obj := range realObjects() {
		t.Run(obj.GetObjectKind().GroupVersionKind().Kind, func(t *testing.T) {
			if live, err := c.Live(ctx, obj); err != nil || live != nil {
				t.Fatalf("before: %v, %v", live, err)
			}
			must(t, func() error { _, err := c.Apply(ctx, obj, true); return err })
			if found, err := c.Exists(ctx, obj); err != nil || found {
				t.Fatalf("a dry run stored the object (%v)", err)
			}
			must(t, func() error { _, err := c.Apply(ctx, obj, false); return err })
			if lines, changed := difference(t, c, obj); changed {
				t.Errorf("a second apply would change:\n%s", lines)
			}
			must(t, func() error { return c.Delete(ctx, obj) })
			must(t, func() error { return c.Delete(ctx, obj) })
		})
	}
}

func TestRealDisturb(t *testing.T) {
	c, _ := realServer(t)
	ctx := t.Context()
	cm := configMap("kube-system", "kubeadm-config", map[string]string{"ClusterConfiguration": "a: 1\n", "mine": "x"})
	must(t, func() error { _, err := c.Apply(ctx, cm, false); return err })

	// Another manager, as kubeadm's create-or-update, wrote the same: nothing to do; then something else: an update.
	other := cm.DeepCopy()
	putAsKubeadm(t, c, other)
	if lines, changed := difference(t, c, cm); changed {
		t.Errorf("the same content of another manager differs:\n%s", lines)
	}
	other.Data["ClusterConfiguration"] = "a: 2\n"
	putAsKubeadm(t, c, other)
	lines, changed := difference(t, c, cm)
	if !changed || !strings.Contains(lines, "-    a: 2") || !strings.Contains(lines, "+    a: 1") {
		t.Errorf("changed = %v, lines:\n%s", changed, lines)
	}
	must(t, func() error { _, err := c.Apply(ctx, cm, false); return err })
	if lines, changed := difference(t, c, cm); changed {
		t.Errorf("after apply:\n%s", lines)
	}
	stored, err := c.NodeConfiguration(ctx)
	if err != nil || string(stored.Cluster) != "a: 1\n" {
		t.Errorf("stored = %+v, %v", stored, err)
	}
}

func TestRealAdminAndNode(t *testing.T) {
	masters, admin := realServer(t)
	ctx := t.Context()
	for c, want := range map[*Client]bool{masters: true, admin: false} {
		if bound, err := c.AdminBound(ctx); err != nil || bound != want {
			t.Errorf("AdminBound = %v, %v; want %v", bound, err, want)
		}
	}
	binding := &rbacv1.ClusterRoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: "kubeadm:cluster-admins"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "kubeadm:cluster-admins"}},
	}
	must(t, func() error { _, err := masters.Apply(ctx, binding, false); return err })
	must(t, func() error { return admin.WaitAdminBound(ctx) })

	node := &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{
		Name: "cp1", Labels: map[string]string{corev1.LabelHostname: "cp1"}}}
	node.Spec.Taints = []corev1.Taint{{Key: "theirs", Effect: corev1.TaintEffectNoSchedule}}
	if err := admin.NodeRegistered(ctx, "cp1", Kubelet{}); err == nil || err.Error() != "node cp1 is not registered" {
		t.Errorf("NodeRegistered = %v before", err)
	}
	came := make(chan error)
	go func() { came <- admin.WatchRegistered(ctx, "cp1", Kubelet{}) }()
	select {
	case err := <-came:
		t.Fatalf("WatchRegistered returns, and there is no Node: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	must(t, func() error { _, err := admin.Apply(ctx, node, false); return err })
	must(t, func() error { return <-came })
	if err := admin.NodeRegistered(ctx, "cp1", Kubelet{Started: time.Now()}); err == nil {
		t.Error("a Node without a heartbeat counts as the kubelet's")
	}
	taints := []corev1.Taint{{Key: LabelControlPlane, Effect: corev1.TaintEffectNoSchedule}}
	if ok, err := admin.Marked(ctx, "cp1", taints); ok || err != nil {
		t.Errorf("Marked = %v, %v before", ok, err)
	}
	must(t, func() error { return admin.MarkControlPlane(ctx, "cp1", taints) })
	if ok, err := admin.Marked(ctx, "cp1", append(taints, node.Spec.Taints...)); !ok || err != nil {
		t.Errorf("Marked = %v, %v after", ok, err)
	}
}

func difference(t *testing.T, c *Client, obj runtime.Object) (string, bool) {
	t.Helper()
	live, err := c.Live(t.Context(), obj)
	if err != nil || live == nil {
		t.Fatalf("live: %v, %v", live, err)
	}
	wanted, err := c.Apply(t.Context(), obj, true)
	if err != nil {
		t.Fatal(err)
	}
	return c.Changed(live, wanted)
}

// putAsKubeadm replaces the object by a plain update, as kubeadm does.
func putAsKubeadm(t *testing.T, c *Client, obj runtime.Object) {
	t.Helper()
	u, api, err := c.open(obj)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Update(t.Context(), u, metav1.UpdateOptions{FieldManager: "kubeadm"}); err != nil {
		t.Fatal(err)
	}
}

// start runs a binary under another name until the test ends.
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
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
	})
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, f func() error) {
	t.Helper()
	if err := f(); err != nil {
		t.Fatal(err)
	}
}

// client makes a Client for a server with a bearer token; without ca it does not verify the server.
func client(t *testing.T, server string, ca []byte, token string) *Client {
	t.Helper()
	trust := "insecure-skip-tls-verify: true"
	if ca != nil {
		trust = fmt.Sprintf("certificate-authority-data: %s", base64Of(ca))
	}
	c, err := New([]byte(`{apiVersion: v1, kind: Config, current-context: a,
clusters: [{name: a, cluster: {server: "https://192.0.2.1:1", `+trust+`}}],
users: [{name: a, user: {token: `+token+`}}],
contexts: [{name: a, context: {cluster: a, user: a}}]}`), Options{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
