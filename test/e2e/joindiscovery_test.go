package e2e

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/test/bed"
)

// discovery joins workers that find the cluster, and prove themselves to it, in other ways than by a token with a pin. None of
// them needs its token again once it has joined.
func (j joining) discovery(t *testing.T) {
	const file = "/root/discovery.conf"
	var made struct{ Token, Join string }
	text := j.cp.MustRun(t, "kubewright", "token", "create", "--print-join-command", "-o", "json")
	if err := json.Unmarshal([]byte(text), &made); err != nil || made.Token == "" {
		t.Fatalf("%v\n%s", err, text)
	}
	public := j.cp.Kubectl(t, "-n", "kube-public", "get", "configmap", "cluster-info", "-o", "jsonpath={.data.kubeconfig}")
	user := func(args ...string) string {
		return j.cp.MustRun(t, append([]string{"kubeadm", "kubeconfig", "user", "--config", configPath, "--client-name", "joiner"}, args...)...)
	}
	variants := []struct {
		name string
		file string // what is in the discovery file
		args []string
	}{
		{"client-certificate", user("--org", "system:bootstrappers:kubeadm:default-node-token"), []string{"--discovery-file", file}},
		{"token-beside", public, []string{"--discovery-file", file, "--tls-bootstrap-token", made.Token}},
		{"bearer-token", user("--token", made.Token), []string{"--discovery-file", file}},
		{"https", "", []string{"--discovery-file", serve(t, j.lab, public), "--tls-bootstrap-token", made.Token}},
		{"no-pin", "", []string{j.worker[0], "--token", made.Token, "--discovery-token-unsafe-skip-ca-verification"}},
		{"json", "", strings.Fields(made.Join)[2:]},
	}
	var specs []bed.Spec
	for _, v := range variants {
		specs = append(specs, bed.Spec{Name: v.name})
	}
	machines := j.lab.MachinesAtOnce(t, specs...)
	for i, v := range variants {
		m := machines[i]
		t.Run(v.name, func(t *testing.T) {
			if v.file != "" {
				m.WriteFile(t, file, v.file, 0o600)
			}
			switch v.name {
			case "https":
				trust(t, m)
				joinNow(t, m, v.args...)
			case "json":
				if last := joinEvents(t, m, v.args...); last.Event != "result" || last.Changes == 0 || last.Node != v.name {
					t.Errorf("the last event: %+v", last)
				}
			default:
				keepsSecrets(t, m, []string{made.Token, made.Token[7:]}, v.args...)
			}
			nodeReady(t, j.cp, v.name)
		})
	}
	const unknown = "aaaaaa.0123456789abcdef"
	for i, v := range variants {
		if v.file != "" {
			machines[i].WriteFile(t, file, strings.ReplaceAll(v.file, made.Token, unknown), 0o600)
		}
		args := strings.Fields(strings.ReplaceAll(strings.Join(v.args, " "), made.Token, unknown))
		if r := run(machines[i], append([]string{"kubewright", "join"}, args...)...); r.code != 0 || !strings.Contains(r.err, "Nothing to do") {
			t.Errorf("%s, without the token: exit code %d\n%s%s", v.name, r.code, r.out, r.err)
		}
		if err := machines[i].PowerOff(); err != nil { // the other parts need the processors
			t.Error(err)
		}
	}
}

// serve answers an https URL with the text, as long as the test runs, and returns the URL. httptest's certificate is for
// example.com.
func serve(t *testing.T, lab *bed.TestLab, text string) string {
	t.Helper()
	l := listen(t, lab)
	s := &httptest.Server{Listener: l, TLS: &tls.Config{MinVersion: tls.VersionTLS12}, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("key") != "opens-it" {
				http.Error(w, "not for you", http.StatusForbidden)
				return
			}
			w.Write([]byte(text)) //nolint:errcheck // seen by the client
		}),
	}}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "https://example.com:" + port + "/cluster.conf?key=opens-it"
}

// trust makes a machine trust httptest's certificate, by Debian's means, and finds its server.
func trust(t *testing.T, m *bed.Machine) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	cert := s.Certificate()
	s.Close()
	m.WriteFile(t, "/usr/local/share/ca-certificates/test.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})), 0o644)
	m.MustRun(t, "update-ca-certificates")
	gateway := strings.Fields(m.MustRun(t, "ip", "route", "show", "default"))[2]
	m.WriteFile(t, "/etc/hosts", m.ReadFile(t, "/etc/hosts")+gateway+" example.com\n", 0o644)
}
