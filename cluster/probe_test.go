package cluster

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host/hosttest"
)

func TestProbeURLs(t *testing.T) {
	none := int32(0)
	for name, test := range map[string]struct {
		change func(*config.Config)
		want   []string
	}{
		"defaults": {func(*config.Config) {}, []string{
			"https://10.0.0.5:6443/livez", "https://127.0.0.1:10257/healthz", "https://127.0.0.1:10259/livez",
			"http://127.0.0.1:10248/healthz"}},
		"IPv6": {func(c *config.Config) {
			c.Init.LocalAPIEndpoint = config.APIEndpoint{AdvertiseAddress: "fd00::5", BindPort: 7443}
			c.Cluster.Scheduler.ExtraArgs = []config.Arg{{Name: "bind-address", Value: "::"}}
		}, []string{
			"https://[fd00::5]:7443/livez", "https://127.0.0.1:10257/healthz", "https://[::1]:10259/livez",
			"http://127.0.0.1:10248/healthz"}},
		"arguments": {func(c *config.Config) {
			c.Cluster.APIServer.ExtraArgs = []config.Arg{{Name: "bind-address", Value: "0.0.0.0"}, {Name: "secure-port", Value: "1"}}
			c.Cluster.ControllerManager.ExtraArgs = []config.Arg{{Name: "secure-port", Value: "2"}, {Name: "secure-port", Value: "3"}}
			c.Cluster.Scheduler.ExtraArgs = []config.Arg{{Name: "bind-address", Value: "10.0.0.7"}}
			c.Kubelet = &kubeletv1beta1.KubeletConfiguration{HealthzPort: &none}
		}, []string{
			"https://10.0.0.5:1/livez", "https://127.0.0.1:3/healthz", "https://10.0.0.7:10259/livez", ""}},
	} {
		c := &config.Config{}
		c.Init.LocalAPIEndpoint.AdvertiseAddress = "10.0.0.5"
		test.change(c)
		var got []string
		for _, p := range append(Probes(c, nil), KubeletProbe(c)) {
			got = append(got, p.URL)
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestProbeCheck(t *testing.T) {
	code := 200
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte("[-]etcd failed"))
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	s.StartTLS()
	defer s.Close()
	ctx := t.Context()
	good := Probe{Name: "kube-apiserver", URL: s.URL + "/livez", CA: caOf(s)}
	if err := good.Check(ctx); err != nil {
		t.Error(err)
	}
	if err := (Probe{URL: s.URL}).Check(ctx); err != nil {
		t.Errorf("without a CA: %v", err)
	}
	if err := (Probe{}).Check(ctx); err != nil {
		t.Errorf("without a URL: %v", err)
	}
	wrong := good
	wrong.ServerName = "10.9.9.9"
	if err := wrong.Check(ctx); err == nil || !strings.Contains(err.Error(), "10.9.9.9") {
		t.Errorf("a certificate for another name passes: %v", err)
	}
	wrong = good
	wrong.CA = []byte("no certificate")
	if err := wrong.Check(ctx); err == nil {
		t.Error("a CA without certificates verifies")
	}
	code = 500
	if err := good.Check(ctx); err == nil || !strings.HasPrefix(err.Error(), "kube-apiserver is not healthy: ") ||
		!strings.HasSuffix(err.Error(), "answers 500: failing checks: etcd") {
		t.Error(err)
	}
	host, port, _ := net.SplitHostPort(hosttest.FreeAddress(t))
	if err := (Probe{Name: "x", URL: healthURL(host, port, "livez")}).Check(ctx); err == nil {
		t.Error("nobody listens, yet the check passes")
	}
}

// TestProbeAsksByName: an API server that answers nobody it does not know is asked with credentials, and not the load balancer
// that their kubeconfig names. It must be who it says.
func TestProbeAsksByName(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path != "/livez" {
			t.Errorf("asked %s", r.URL)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	p := Probe{Name: apiServer, URL: s.URL + "/livez"}
	if err := p.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "answers 401") {
		t.Errorf("without credentials: %v", err)
	}
	p.Client = func() (*Client, error) { return client(t, "https://192.0.2.1:6443", caOf(s), "secret-token"), nil }
	if err := p.Check(t.Context()); err != nil {
		t.Errorf("with credentials: %v", err)
	}
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	p.URL = healthURL("localhost", port, "livez")
	if err := p.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "x509: ") {
		t.Errorf("a certificate for another name passes: %v", err)
	}
}

// TestProbeServes: whatever an API server answers, it serves; but it must be the one that is meant.
func TestProbeServes(t *testing.T) {
	code := http.StatusInternalServerError
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	p := Probe{Name: apiServer, URL: s.URL + "/livez", CA: caOf(s)}
	for _, code = range []int{http.StatusInternalServerError, http.StatusUnauthorized, http.StatusOK} {
		if err := p.Serves(t.Context()); err != nil {
			t.Errorf("%d: %v", code, err)
		}
	}
	p.ServerName = "another.example"
	if err := p.Serves(t.Context()); !Untrusted(err) {
		t.Errorf("somebody else: %v", err)
	}
	s.Close()
	if err := p.Serves(t.Context()); err == nil {
		t.Error("nobody serves")
	}
}
