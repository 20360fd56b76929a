package phases

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// TestWatchKubelet counts the ends of the kubelet from the first look on: a packaged one ends again and again until it is configured.
func TestWatchKubelet(t *testing.T) {
	units, watch := systemdtest.New(), watchKubelet(&Facts{})
	units.SetJournal(config.KubeletService, "last words")
	for _, look := range []struct {
		restarts uint32
		hopeless string
	}{{7, ""}, {8, ""}, {0, ""}, {3, ""}, {4, "the kubelet ended 4 times (exit-code, status 1)"}} {
		units.Set(systemd.Unit{Name: config.KubeletService, ActiveState: "activating", SubState: "auto-restart", NRestarts: look.restarts,
			Result: "exit-code", ExecMainStatus: 1})
		seen := watch(t.Context(), &plan.Target{Systemd: units})
		got := ""
		if seen.Hopeless != nil {
			got = seen.Hopeless.Error()
		}
		if got != look.hopeless || len(seen.Log) != 1 || len(seen.Signs) != 1 {
			t.Errorf("%d restarts: %+v", look.restarts, seen)
		}
	}
}

// TestWatchPods is about a crash loop of before the manifest was mended: it decides nothing.
func TestWatchPods(t *testing.T) {
	h, rt := hosttest.New(t), &hosttest.Runtime{}
	f := facts(t, h, minimal)
	path := manifestPath(config.APIServer)
	if err := h.MkdirAll(config.ManifestsDir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(at time.Time) {
		t.Helper()
		if err := h.WriteFile(path, host.FileSpec{Data: []byte("x"), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(h.Root, path), at, at); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(id string, attempt uint32, pod, start time.Time) host.Container {
		return host.Container{ID: id, Name: config.APIServer, PodName: config.APIServer + "-cp1", Attempt: attempt, ExitCode: 1,
			PodCreatedAt: pod.UnixNano(), StartedAt: start.UnixNano(), FinishedAt: start.Add(time.Second).UnixNano()}
	}
	f.Now = now.Add(-time.Minute)
	old := ended("old", 6, now.Add(-time.Hour), now.Add(-2*time.Second))
	rt.SetLogs("old", "Error: odd thing: --foo")
	target := &plan.Target{Host: h, Runtime: rt}
	look := func(w watch) plan.Watched { return w(t.Context(), target) }

	write(now.Add(-2 * time.Hour))
	rt.SetContainers(old)
	if seen := look(watchPods(newLooker(f))(config.APIServer)); seen.Hopeless == nil || !strings.Contains(seen.Hopeless.Error(), "odd thing: --foo") {
		t.Errorf("the manifest is older than the loop: %+v", seen)
	}
	write(now.Add(-time.Second))
	watch := watchPods(newLooker(f))(config.APIServer)
	if seen := look(watch); seen.Hopeless != nil || !strings.Contains(seen.Status, "the kubelet has not started the new one yet") {
		t.Errorf("the manifest is newer than the loop: %+v", seen)
	}
	h.Now = func() time.Time { return now.Add(time.Hour) }
	for i := range uint32(3) {
		c := ended(fmt.Sprint("new", i), i, now, now.Add(time.Duration(i)*time.Minute))
		rt.SetLogs(c.ID, "Error: odd thing: --bar")
		rt.SetContainers(c, old)
		if seen := look(watch); (seen.Hopeless != nil) != (i == 2) {
			t.Errorf("the new manifest, attempt %d: %+v", i, seen)
		}
	}
}

// fakeAPI is an API server that refuses anonymous requests.
func fakeAPI(t *testing.T, f *Facts, answer http.HandlerFunc) {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	address := netip.MustParseAddrPort(s.Listener.Addr().String())
	f.Config.Init.LocalAPIEndpoint = config.APIEndpoint{AdvertiseAddress: address.Addr().String(), BindPort: int32(address.Port())}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	f.Client = func(path string) (*cluster.Client, error) {
		if path != config.AdminKubeconfig {
			t.Errorf("credentials of %s", path)
		}
		// The server of the kubeconfig is another one, as a load balancer in front of this machine.
		return cluster.New([]byte(fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {token: secret}}],
contexts: [{name: c, context: {cluster: k, user: u}}], clusters: [{name: k, cluster: {server: "%s", certificate-authority-data: %q}}]}`,
			f.Config.Cluster.ControlPlaneEndpoint, base64.StdEncoding.EncodeToString(ca))), cluster.Options{Server: f.Config.Cluster.ControlPlaneEndpoint})
	}
	f.Config.Cluster.ControlPlaneEndpoint = s.URL
}

// TestProbeHasCredentials: an API server with --anonymous-auth=false says 401 to everybody else.
func TestProbeHasCredentials(t *testing.T) {
	h := hosttest.New(t)
	f := facts(t, h, minimal)
	fakeAPI(t, f, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/livez" {
			t.Errorf("asked for %s", r.URL)
		}
	})
	f.Config.Cluster.ControlPlaneEndpoint = "https://192.0.2.1:6443" // nobody; the probe asks the local one
	steps, err := waitControlPlane().Steps(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	wait := steps[1].(plan.Wait)
	if err := wait.Probe(t.Context(), &plan.Target{Host: h}); err != nil || !strings.Contains(wait.For, config.APIServer) {
		t.Errorf("%s: %v", wait, err)
	}
	f.Client = func(string) (*cluster.Client, error) { return nil, os.ErrNotExist }
	if _, err := f.PKI.Files("ca"); err != nil { // what the certs phase does
		t.Fatal(err)
	}
	steps, err = waitControlPlane().Steps(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	// Without credentials the CA of the plan decides, which that server's certificate is not from.
	if err := steps[1].(plan.Wait).Probe(t.Context(), &plan.Target{Host: h}); err == nil || !strings.Contains(err.Error(), "x509: ") {
		t.Errorf("without credentials: %v", err)
	}
}

// TestRegistered joins under the name of a machine that died: its Node does not count.
func TestRegistered(t *testing.T) {
	h, units := hosttest.New(t), systemdtest.New()
	f := facts(t, h, minimal)
	started := now.Add(-time.Minute)
	units.Set(systemd.Unit{Name: config.KubeletService, ActiveState: "active", MainStart: started})
	node := func(heartbeat time.Time) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":"cp1","resourceVersion":"7","labels":{"kubernetes.io/hostname":"cp1"}},
"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":%q}]}}`, heartbeat.Format(time.RFC3339))
	}
	watches := 0
	fakeAPI(t, f, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("watch") == "" {
			fmt.Fprint(w, node(started.Add(-time.Hour)))
			return
		}
		watches++
		fmt.Fprintf(w, `{"type":"ADDED","object":%s}{"type":"MODIFIED","object":%s}`, node(started.Add(-time.Hour)), node(started.Add(time.Second)))
	})
	wait := registered(f, "cp1").(plan.Wait)
	target := &plan.Target{Host: h, Systemd: units}
	var err error
	if target.API, err = f.Client(config.AdminKubeconfig); err != nil {
		t.Fatal(err)
	}
	if c, err := wait.Diff(t.Context(), target); err != nil || !strings.Contains(c.Lines, "the kubelet of this machine has not reported") {
		t.Errorf("a dead machine's node: %+v, %v", c, err)
	}
	if err := wait.Apply(t.Context(), target); err != nil || watches != 1 {
		t.Errorf("%v after %d watches", err, watches)
	}
	if wait.Stall != 5*time.Minute {
		t.Errorf("it waits for %s, not for as long as timeouts.tlsBootstrap says", wait.Stall)
	}
}
