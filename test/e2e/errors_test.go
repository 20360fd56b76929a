package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/util/keyutil"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/test/bed"
)

// TestInitErrors runs init on machines that are not fit. Each is told why, and nothing of it is changed.
func TestInitErrors(t *testing.T) {
	bed.Need(t)
	for _, tc := range []struct {
		name    string
		spec    bed.Spec
		prepare func(*testing.T, *bed.Machine)
		config  func(string) string
		command []string
		want    []string
		cause   cause.Cause // preflight where it says nothing
	}{
		{name: "no runtime", spec: bed.Spec{NoRuntime: true}, want: []string{"[ERROR CRI]", "container runtime"}},
		{name: "no kubelet", spec: bed.Spec{NoKubelet: true}, want: []string{"kubelet"}},
		{name: "old kubelet", spec: bed.Spec{KubeletVersion: "v1.33.0"}, want: []string{"[ERROR KubeletVersion]", "v1.33.0", "install kubelet 1.37"}},
		{name: "new kubelet", spec: bed.Spec{KubeletVersion: "v1.38.0"}, want: []string{"[ERROR KubeletVersion]", "v1.38.0", "newer"}},
		{name: "no images and no way to pull", spec: bed.Spec{NoImages: true}, config: never, want: []string{"registry.k8s.io/kube-apiserver:v1.37.2"}},
		{name: "port taken", prepare: func(t *testing.T, m *bed.Machine) { squatter(m, "6443")(t) },
			want: []string{"[ERROR Port-6443]", "busybox"}},
		{name: "someone else's manifest", prepare: func(t *testing.T, m *bed.Machine) {
			m.WriteFile(t, "/etc/kubernetes/manifests/kube-apiserver.yaml", staticPod("kube-apiserver"), 0o600)
		}, want: []string{"[ERROR FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml]"}},
		{name: "someone else's etcd data", prepare: func(t *testing.T, m *bed.Machine) {
			m.WriteFile(t, "/var/lib/etcd/member/snap/db", "precious", 0o600)
		}, want: []string{"[ERROR DirAvailable--var-lib-etcd]"}},
		{name: "half a certificate", prepare: func(t *testing.T, m *bed.Machine) {
			m.WriteFile(t, "/etc/kubernetes/pki/ca.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n", 0o644)
		}, want: []string{"/etc/kubernetes/pki/ca.crt", "no whole certificate"}},
		{name: "overlapping ranges", config: func(s string) string {
			return strings.Replace(s, "podSubnet: 10.244.0.0/16", "podSubnet: 10.96.0.0/16", 1)
		}, want: []string{"networking.podSubnet", "overlap"}, cause: cause.Usage},
		{name: "bad range", config: func(s string) string {
			return strings.Replace(s, "podSubnet: 10.244.0.0/16", "podSubnet: 10.244.0.0/40", 1)
		}, want: []string{"networking.podSubnet", "10.244.0.0/40"}, cause: cause.Usage},
		{name: "bad version", config: func(s string) string {
			return strings.Replace(s, "kubernetesVersion: "+bed.KubernetesVersion, "kubernetesVersion: v1.99.0", 1)
		}, want: []string{"kubernetesVersion", "v1.99.0"}, cause: cause.Usage},
		{name: "swap is on", prepare: func(t *testing.T, m *bed.Machine) {
			// Swap belongs to the whole host: the machine only believes that it is on.
			m.WriteFile(t, "/root/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sdb1\t\tpartition\t8388604\t\t0\t\t-2\n", 0o444)
			m.MustRun(t, "mount", "--bind", "/root/swaps", "/proc/swaps")
		}, want: []string{"[ERROR Swap]", "swapoff"}},
		{name: "expired CA", prepare: func(t *testing.T, m *bed.Machine) {
			authority(t, m, "kubernetes", time.Now().Add(-time.Hour))
		}, want: []string{"/etc/kubernetes/pki/ca.crt", "expired"}},
		{name: "certificates of another CA", prepare: func(t *testing.T, m *bed.Machine) {
			m.MustRun(t, "kubewright", "init", "phase", "certs", "all", "--config", "/init.yaml")
			authority(t, m, "kubernetes", time.Now().Add(time.Hour))
		}, want: []string{"/etc/kubernetes/pki/apiserver.crt", "ca.crt"}},
		{name: "unreadable key", prepare: func(t *testing.T, m *bed.Machine) {
			authority(t, m, "kubernetes", time.Now().Add(time.Hour))
			m.WriteFile(t, "/etc/kubernetes/pki/ca.key", "not a key", 0o600)
		}, want: []string{"/etc/kubernetes/pki/ca.key"}},
		{name: "not root", command: []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, want: []string{"root"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.spec.Name = "cp1"
			lab := bed.NewLab(t)
			m := lab.Machine(t, tc.spec)
			text := bed.InitConfig(m)
			if tc.config != nil {
				text = tc.config(text)
			}
			m.WriteFile(t, "/init.yaml", text, 0o644)
			if tc.prepare != nil {
				tc.prepare(t, m)
			}
			before := listing(t, m)
			r := run(m, append(tc.command, "kubewright", "init", "--config", "/init.yaml")...)
			want := cause.Preflight
			if tc.cause != "" {
				want = tc.cause
			}
			if r.code != want.Exit() {
				t.Fatalf("exit code %d, not that of %s:\n%s%s", r.code, want, r.out, r.err)
			}
			for _, want := range tc.want {
				if !strings.Contains(r.err, want) {
					t.Errorf("no %q in:\n%s", want, r.err)
				}
			}
			if diff := cmp.Diff(before, listing(t, m)); diff != "" {
				t.Errorf("the machine changed:\n%s", diff)
			}
		})
	}
}

// never is a configuration that forbids to pull images.
func never(s string) string {
	return strings.Replace(s, "nodeRegistration:", "nodeRegistration:\n  imagePullPolicy: Never", 1)
}

// listing is every file below the folders that init changes.
func listing(t *testing.T, m *bed.Machine) string {
	t.Helper()
	return m.MustRun(t, "sh", "-c", "find /etc/kubernetes /var/lib/kubelet /var/lib/etcd /etc/systemd/system -printf '%p %m %s %T@\\n' 2>/dev/null | sort")
}

// authority puts a CA of our own making, good until an hour, where the cluster's is.
func authority(t *testing.T, m *bed.Machine, name string, until time.Time) {
	t.Helper()
	ca := newSigner(t, name, until)
	private, err := keyutil.MarshalPrivateKeyToPEM(ca.key)
	if err != nil {
		t.Fatal(err)
	}
	m.WriteFile(t, "/etc/kubernetes/pki/ca.crt", string(ca.pem()), 0o644)
	m.WriteFile(t, "/etc/kubernetes/pki/ca.key", string(private), 0o600)
}
