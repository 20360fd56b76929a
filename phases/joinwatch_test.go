package phases

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// TestWaitKubelet: patches and flags move the health endpoint, and may turn it off.
func TestWaitKubelet(t *testing.T) {
	patches, err := manifests.Patches([]manifests.PatchFile{{Name: "kubeletconfiguration.yaml", Data: []byte("healthzPort: 10999\nhealthzBindAddress: 10.9.0.2\n")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		patches manifests.Patched
		args    []config.Arg
		want    string
	}{
		"default": {manifests.Patched{}, nil, "kubelet answers http://127.0.0.1:10248/healthz"},
		"patched": {patches, nil, "kubelet answers http://10.9.0.2:10999/healthz"},
		"flags":   {patches, []config.Arg{{Name: "healthz-port", Value: "11000"}}, "kubelet answers http://10.9.0.2:11000/healthz"},
		"off":     {patches, []config.Arg{{Name: "healthz-port", Value: "0"}}, "kubelet is started (it has no health endpoint)"},
	} {
		f := facts(t, hosttest.New(t), minimal)
		f.Patches, f.Config.Init.NodeRegistration.KubeletExtraArgs = test.patches, test.args
		if got := waitKubelet(f).For; got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// csrServer answers with one request of node cp1 that was denied.
func csrServer(t *testing.T, created time.Time) (*cluster.Client, *int) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:cp1"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	c := certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: "csr-1", CreationTimestamp: metav1.NewTime(created)}}
	c.Spec.Request = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	c.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateDenied, Status: "True", Reason: "No"}}
	asked := 0
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(certificatesv1.CertificateSigningRequestList{
			TypeMeta: metav1.TypeMeta{APIVersion: "certificates.k8s.io/v1", Kind: "CertificateSigningRequestList"},
			Items:    []certificatesv1.CertificateSigningRequest{c},
		})
	}))
	t.Cleanup(s.Close)
	kc := clientcmdapi.NewConfig()
	kc.CurrentContext = "c"
	kc.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	kc.Clusters["c"] = &clientcmdapi.Cluster{Server: s.URL, CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})}
	kc.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: "t"}
	data, err := clientcmd.Write(*kc)
	if err != nil {
		t.Fatal(err)
	}
	client, err := cluster.New(data, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return client, &asked
}

// TestWatchSigning asks about the certificate only when that takes long, and gives up when it was refused in this run.
func TestWatchSigning(t *testing.T) {
	for name, test := range map[string]struct {
		created  time.Time
		hopeless bool
	}{
		"in this run": {now.Add(time.Second), true},
		"before":      {now.Add(-time.Hour), false},
	} {
		client, asked := csrServer(t, test.created)
		h := hosttest.New(t)
		f := facts(t, h, minimal)
		f.Joining = &Joining{Client: client}
		watch, target := watchSigning(f), &plan.Target{Host: h, Systemd: systemdtest.New()}
		for range 3 {
			if seen := watch(t.Context(), target); seen.Hopeless != nil || *asked != 0 {
				t.Errorf("%s: at once: %+v, asked %d times", name, seen, *asked)
			}
		}
		h.Now = func() time.Time { return now.Add(signingAfter * 3 / 2) }
		for range 3 {
			seen := watch(t.Context(), target)
			if (seen.Hopeless != nil) != test.hopeless || !strings.Contains(seen.Status, "was refused (csr-1)") || *asked != 1 {
				t.Errorf("%s: %+v, asked %d times", name, seen, *asked)
			}
		}
		// The pauses grow: in six minutes, every second, it is asked at 15, 45 and 105 seconds, and then every two minutes, or later.
		for second := range 360 {
			h.Now = func() time.Time { return now.Add(time.Duration(second) * time.Second) }
			watch(t.Context(), target)
		}
		if *asked < 4 || *asked > 6 {
			t.Errorf("%s: asked %d times in six minutes", name, *asked)
		}
	}
}

// TestWatchRegistration: the kubelet of a joining control plane can't register while its own API server does not start.
func TestWatchRegistration(t *testing.T) {
	h, rt, units := hosttest.New(t), &hosttest.Runtime{}, systemdtest.New()
	units.Set(systemd.Unit{Name: config.KubeletService, ActiveState: "active", SubState: "running"})
	at := now.Add(time.Minute).UnixNano()
	var loop []host.Container
	for n := range uint32(3) {
		loop = append(loop, host.Container{ID: string('a' + rune(n)), Name: config.APIServer, PodName: config.APIServer + "-cp2", Attempt: 4 + n,
			StartedAt: at + int64(n), FinishedAt: at + int64(n) + 1, ExitCode: 1})
	}
	rt.SetContainers(loop...)
	f := facts(t, h, minimal)
	f.Joining = &Joining{ControlPlane: true}
	seen := watchRegistration(f)(t.Context(), &plan.Target{Host: h, Systemd: units, Runtime: rt})
	if seen.Hopeless == nil || !strings.Contains(seen.Status, "running") || !strings.Contains(seen.Status, "kube-apiserver exited") {
		t.Errorf("%+v", seen)
	}
	f.Joining.ControlPlane = false
	if seen := watchRegistration(f)(t.Context(), &plan.Target{Host: h, Systemd: units, Runtime: rt}); seen.Hopeless != nil {
		t.Errorf("a worker: %+v", seen)
	}
}

// TestWatchCalled: a kubelet with another node's credentials will not register this one.
func TestWatchCalled(t *testing.T) {
	h := hosttest.New(t)
	f := facts(t, h, minimal)
	units := systemdtest.New()
	units.Set(systemd.Unit{Name: config.KubeletService, ActiveState: "active", SubState: "running"})
	target := &plan.Target{Host: h, Systemd: units}
	steps, err := rows(f, "ca", "kubelet")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		if file := step.(plan.File); !file.Dir {
			err = h.MkdirAll(filepath.Dir(file.Path), 0o755)
		}
		if err := errors.Join(err, step.Apply(t.Context(), target)); err != nil {
			t.Fatal(err)
		}
	}
	own := f.Config.Init.NodeRegistration.Name
	if seen := watchRegistration(f)(t.Context(), target); seen.Hopeless != nil {
		t.Errorf("its own name: %v", seen.Hopeless)
	}
	f.Config.Init.NodeRegistration.Name = "other"
	if seen := watchRegistration(f)(t.Context(), target); seen.Hopeless == nil || !strings.Contains(seen.Hopeless.Error(), "the kubelet calls itself "+own+", not other") {
		t.Errorf("another name: %v", seen.Hopeless)
	}
}

func TestTogether(t *testing.T) {
	for want, parts := range map[string][]string{"a; b": {"a", "b"}, "b": {"", "b"}, "a": {"a", ""}, "": {"", ""}} {
		if got := together(parts...); got != want {
			t.Errorf("%q: %q, want %q", parts, got, want)
		}
	}
}
