package e2e

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/test/bed"
)

// attempt is a join that must not succeed.
type attempt struct {
	name string
	args []string
	// prepare changes the machine or the cluster, and returns what mends it.
	prepare func(*testing.T) (mend func())
	// want is what the error must say: what is wrong, and what to do.
	want []string
	// within is the longest that it may take; 20 seconds when it does not say.
	within time.Duration
}

// refuses runs it on the machine. Nothing of the machine may change, and no secret may be printed.
func refuses(t *testing.T, m *bed.Machine, secrets []string, a attempt) {
	t.Helper()
	t.Run(a.name, func(t *testing.T) {
		if a.prepare != nil {
			defer a.prepare(t)()
		}
		before := listing(t, m)
		began := time.Now()
		r := run(m, append([]string{"kubewright", "join", "-v", "2"}, a.args...)...)
		took := time.Since(began)
		t.Logf("after %s:\n%s", took.Round(time.Millisecond), r.err)
		if r.code == 0 || r.code == cause.Incomplete.Exit() { // nothing has begun
			t.Errorf("exit code %d\n%s", r.code, r.out)
		}
		for _, want := range a.want {
			if !strings.Contains(r.err, want) {
				t.Errorf("no %q in the error", want)
			}
		}
		if limit := max(a.within, 20*time.Second); took > limit {
			t.Errorf("it took %s", took)
		}
		for _, secret := range secrets {
			if strings.Contains(r.out+r.err, secret) {
				t.Errorf("a secret was printed:\n%s", r.out)
			}
		}
		if after := listing(t, m); after != before {
			t.Errorf("the machine changed from\n%s\nto\n%s", before, after)
		}
	})
}

// with replaces the value of a flag.
func with(args []string, flag, value string) []string {
	args = slices.Clone(args)
	args[slices.Index(args, flag)+1] = value
	return args
}

// at is the same join at another address.
func at(args []string, endpoint string) []string { return append([]string{endpoint}, args[1:]...) }

// token makes one, and returns it.
func token(t *testing.T, cp *bed.Machine, args ...string) string {
	t.Helper()
	return strings.TrimSpace(cp.MustRun(t, append([]string{"kubewright", "token", "create"}, args...)...))
}

// without deletes an object of kube-system and returns what puts it back.
func without(t *testing.T, cp *bed.Machine, kind, name string) (mend func()) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "object.yaml")
	text := cp.Kubectl(t, "-n", "kube-system", "get", kind, name, "-o", "yaml")
	writeFile(t, file, text)
	cp.Kubectl(t, "-n", "kube-system", "delete", kind, name)
	return func() { cp.Kubectl(t, "create", "-f", file) }
}

// stored changes a text in a ConfigMap of kube-system.
func stored(cp *bed.Machine, name, old, new string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		text := cp.Kubectl(t, "-n", "kube-system", "get", "configmap", name, "-o", "yaml")
		if !strings.Contains(text, old) {
			t.Fatalf("no %q in ConfigMap %s:\n%s", old, name, text)
		}
		mend := without(t, cp, "configmap", name)
		file := filepath.Join(t.TempDir(), "changed.yaml")
		writeFile(t, file, strings.ReplaceAll(text, old, new))
		cp.Kubectl(t, "create", "-f", file)
		return func() {
			cp.Kubectl(t, "-n", "kube-system", "delete", "configmap", name)
			mend()
		}
	}
}

// kubeletSays lets the machine's kubelet be of another version.
func kubeletSays(m *bed.Machine, version string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		m.MustRun(t, "mv", "/usr/bin/kubelet", "/usr/bin/kubelet.true")
		m.WriteFile(t, "/usr/bin/kubelet", "#!/bin/sh\necho 'Kubernetes "+version+"'\n", 0o755)
		return func() { m.MustRun(t, "mv", "/usr/bin/kubelet.true", "/usr/bin/kubelet") }
	}
}

// squatter listens on a port of the machine.
func squatter(m *bed.Machine, port string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		m.MustRun(t, "systemd-run", "--unit=squatter", "busybox", "nc", "-l", "-p", port)
		eventually(t, 10*time.Second, func() string {
			if out := run(m, "busybox", "netstat", "-ltn"); !strings.Contains(out.out, ":"+port) {
				return out.out + out.err
			}
			return ""
		})
		return func() { m.MustRun(t, "systemctl", "stop", "squatter") }
	}
}

// file lays a file on the machine.
func file(m *bed.Machine, path, text string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		m.WriteFile(t, path, text, 0o600)
		return func() { m.Remove(t, path) }
	}
}

func both(a, b func(*testing.T) func()) func(*testing.T) func() {
	return func(t *testing.T) func() {
		first, second := a(t), b(t)
		return func() { second(); first() }
	}
}

// TestJoinErrors joins a worker with what is wrong. Each attempt ends within seconds, says why and what mends it, and leaves nothing
// that a good one trips over.
func TestJoinErrors(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	cp, _ := initialized(t, lab, bed.Spec{Name: "cp1"})
	w := lab.Machine(t, bed.Spec{Name: "w1"})
	good := joinArgs(t, cp)
	genuine := flag(t, good, "--token")
	const pin, anew = "--discovery-token-ca-cert-hash", "kubewright token create --print-join-command"

	brief := token(t, cp, "--ttl", "4s")
	finds := token(t, cp, "--usages", "signing", "--groups", "")
	asks := token(t, cp, "--usages", "authentication")
	var secrets []string
	for _, all := range []string{genuine, brief, finds, asks} {
		_, secret, _ := strings.Cut(all, ".")
		secrets = append(secrets, secret)
	}

	other, ca := newSigner(t, "kubernetes", time.Now().Add(time.Hour)), clusterCA(t, cp)
	liar := impostor{ca: other}
	// These have a certificate of the cluster: an API server whose clock is another one, which made its certificate by it, or not.
	late := impostor{ca: ca, behind: 3 * time.Hour, issued: -3 * time.Hour}
	early, ahead := impostor{ca: ca, behind: -10 * time.Minute, issued: 10 * time.Minute}, impostor{ca: ca, behind: -10 * time.Minute}
	plain := httptest.NewUnstartedServer(http.NotFoundHandler())
	plain.Listener.Close()
	plain.Listener = listen(t, lab)
	plain.Start()
	t.Cleanup(plain.Close)

	for _, a := range []attempt{
		{name: "malformed token", args: with(good, "--token", genuine+"0"), want: []string{"token", "abcdef.0123456789abcdef"}},
		{name: "unknown token", args: with(good, "--token", "aaaaaa.0123456789abcdef"), want: []string{"does not know the token with the ID aaaaaa", anew}},
		{name: "misspelt secret", args: with(good, "--token", genuine[:7]+"0123456789abcdef"), want: []string{"after the dot", anew}},
		{name: "expired token", args: with(good, "--token", brief), prepare: func(t *testing.T) func() {
			eventually(t, 20*time.Second, func() string { return has(t, cp, brief[:6]) })
			return func() {}
		}, want: []string{"has expired", anew}},
		{name: "token that only authenticates", args: with(good, "--token", asks), want: []string{"is not for signing", anew}},
		{name: "token that only signs", args: with(good, "--token", finds), want: []string{"lacks the usage authentication", anew}},
		{name: "wrong pin", args: with(good, pin, "sha256:"+strings.Repeat("ab", 32)), want: []string{"pins", "openssl x509"}},
		{name: "malformed pin", args: with(good, pin, "sha256:1234"), want: []string{"caCertHashes[0]", "64 hexadecimal digits"}},
		{name: "another cluster answers", args: at(good, liar.serve(t, lab, liar.ownInfo(t))),
			want: []string{"somebody is in the middle", "is it the right address?", anew}},
		{name: "somebody in the middle", args: at(good, liar.serve(t, lab, liar.passes(t, cp, ""))), want: []string{"not signed by the pinned CA", "somebody is in the middle", anew}},
		{name: "somebody in the middle who knows the token", args: at(good, liar.serve(t, lab, liar.passes(t, cp, genuine))),
			want: []string{"not signed by the pinned CA", "somebody is in the middle"}},
		{name: "nobody has the address", args: at(good, cp.IP()[:strings.LastIndex(cp.IP(), ".")]+".250:6443"), want: []string{"can't be reached", "firewall"}},
		{name: "nobody listens", args: at(good, cp.IP()+":6444"), want: []string{"nobody listens there"}},
		{name: "no such name", args: at(good, "no-such-host:6443"), want: []string{"the name no-such-host can't be resolved", "/etc/hosts"}},
		{name: "silence", args: at(good, silent(t, lab)), want: []string{"nothing came in time", "load balancer"}, within: 25 * time.Second},
		{name: "no TLS", args: at(good, plain.Listener.Addr().String()), want: []string{"does not speak TLS", "right address and port"}},
		{name: "endpoint without a port", args: at(good, cp.IP()), want: []string{"has no port; is it " + cp.IP() + ":6443?"}},
		{name: "endpoint with a scheme", args: at(good, "https://"+cp.IP()+":6443"), want: []string{"is it " + cp.IP() + ":6443?"}},
		{name: "several mistakes", args: with(with(at(good, cp.IP()), "--token", "nonsense"), pin, "sha256:12"),
			want: []string{"abcdef.0123456789abcdef", "has no port", "64 hexadecimal digits"}},
		{name: "control plane without an endpoint", args: append(good, "--control-plane"), want: []string{"control-plane endpoint", "controlPlaneEndpoint"}},
		{name: "name taken", args: append(good, "--node-name", "cp1"), want: []string{"Ready", "--node-name", "kubectl delete node cp1"}},
		{name: "no DNS name", args: append(good, "--node-name", "My_Node"), want: []string{`"my_node" is not a DNS name`, "lower-case letters"}},
		{name: "new kubelet", args: good, prepare: kubeletSays(w, "v1.38.0"), want: []string{"[ERROR KubeletVersion]", "newer", "install kubelet 1.37"}},
		{name: "old kubelet", args: good, prepare: kubeletSays(w, "v1.33.0"), want: []string{"[ERROR KubeletVersion]", "older", "install kubelet 1.37"}},
		{name: "new cluster", args: good, prepare: stored(cp, "kubeadm-config", "kubernetesVersion: "+bed.KubernetesVersion, "kubernetesVersion: v1.38.1"),
			want: []string{"v1.38.1", "the release of kubewright"}},
		{name: "old cluster", args: good, prepare: stored(cp, "kubeadm-config", "kubernetesVersion: "+bed.KubernetesVersion, "kubernetesVersion: v1.35.1"),
			want: []string{"v1.35.1", "the release of kubewright"}},
		{name: "no kubeadm-config", args: good, prepare: func(t *testing.T) func() { return without(t, cp, "configmap", "kubeadm-config") },
			want: []string{"ConfigMap kube-system/kubeadm-config is not there", "upload-config kubeadm --config FILE"}},
		{name: "no kubelet-config", args: good, prepare: func(t *testing.T) func() { return without(t, cp, "configmap", "kubelet-config") },
			want: []string{"ConfigMap kube-system/kubelet-config is not there", "upload-config kubelet --config FILE"}},
		{name: "garbage in kubeadm-config", args: good, prepare: stored(cp, "kubeadm-config", "kind: ClusterConfiguration", "kind: [ClusterConfiguration"),
			want: []string{"kube-system/kubeadm-config:", "not valid YAML", "upload-config kubeadm --config FILE"}},
		{name: "clock ahead of a certificate", args: at(good, late.serve(t, lab, late.passes(t, cp, genuine))),
			want: []string{"certificate has expired", "this machine's clock is 10", "seconds ahead of the API server's", "timedatectl"}},
		{name: "clock behind a certificate", args: at(good, early.serve(t, lab, early.passes(t, cp, genuine))),
			want: []string{"is not valid before", "this machine's clock is ", "seconds behind the API server's", "timedatectl"}},
		{name: "clock behind", args: at(good, ahead.serve(t, lab, ahead.passes(t, cp, genuine))),
			want: []string{"[ERROR ClockSkew]", "seconds behind the API server's", "would not be valid here yet", "timedatectl"}},
		{name: "CA of another cluster", args: good, prepare: file(w, "/etc/kubernetes/pki/ca.crt", string(other.pem())),
			want: []string{"[ERROR FileAvailable--etc-kubernetes-pki-ca.crt]", "reset"}},
		{name: "port taken, and a new kubelet", args: good, prepare: both(squatter(w, "10250"), kubeletSays(w, "v1.38.0")),
			want: []string{"2 problems", "[ERROR Port-10250]", "busybox", "stop what listens there", "[ERROR KubeletVersion]"}},
		{name: "manifest of a control plane", args: good, prepare: file(w, "/etc/kubernetes/manifests/kube-apiserver.yaml", staticPod("kube-apiserver")),
			want: []string{"[ERROR FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml]", "reset"}},
	} {
		refuses(t, w, secrets, a)
	}
	joinNow(t, w, good...)
	nodeReady(t, cp, "w1")
}

// has says that the cluster has a Secret of this token.
func has(t *testing.T, cp *bed.Machine, id string) string {
	t.Helper()
	if out := cp.MustRun(t, "kubewright", "token", "list"); strings.Contains(out, id) {
		return out
	}
	return ""
}
