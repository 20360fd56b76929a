package preflight

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/etcd"
)

const external = apiHeader + `kind: ClusterConfiguration
etcd: {external: {endpoints: ["https://10.0.0.8:2379", "https://10.0.0.9:2379"], caFile: /e/ca.crt, certFile: "", keyFile: ""}}
`

// answers makes each endpoint answer with a version.
func (l *lab) answers(versions map[string]string) {
	l.m.EtcdVersion = func(_ context.Context, endpoint string, _ *tls.Config) (string, error) {
		version, ok := versions[endpoint]
		if !ok {
			return "", errors.New("cannot get the version of etcd at " + endpoint + ": connection refused")
		}
		return version, nil
	}
}

func TestExternalEtcd(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	both := func(version string) map[string]string {
		return map[string]string{"https://10.0.0.8:2379": "3.6.6", "https://10.0.0.9:2379": version}
	}
	with := func(versions map[string]string) func(*lab) {
		return func(l *lab) {
			l.write("/e/ca.crt", ca)
			l.answers(versions)
		}
	}
	testRows(t, []row{
		{"fit", external, with(both("3.5.24")), nil},
		{"pre-release of the oldest", external, with(both("3.5.24-rc.0")), nil},
		{"too old", external, with(both("3.5.23")),
			[]string{"E ExternalEtcdVersion: etcd at https://10.0.0.9:2379 is 3.5.23; the oldest that works is 3.5.24"}},
		{"strange", external, with(both("not_decided")),
			[]string{`E ExternalEtcdVersion: etcd at https://10.0.0.9:2379 has a version that can't be read: "not_decided"`}},
		{"none answers", external, with(nil), []string{
			"E ExternalEtcdVersion: cannot get the version of etcd at https://10.0.0.8:2379: connection refused",
			"E ExternalEtcdVersion: cannot get the version of etcd at https://10.0.0.9:2379: connection refused",
		}},
		{"httpEndpoints", strings.Replace(external, "caFile", "httpEndpoints: ['http://10.0.0.7:2381'], caFile", 1),
			with(map[string]string{"http://10.0.0.7:2381": "3.5.1"}),
			[]string{"E ExternalEtcdVersion: etcd at http://10.0.0.7:2381 is 3.5.1; the oldest that works is 3.5.24"}},
		{"no file", external, func(l *lab) { l.answers(nil) },
			[]string{"E ExternalEtcdClientCertificates: cannot read /e/ca.crt: no such file or directory"}},
		{"no file, but plain endpoints", strings.Replace(external, "caFile", "httpEndpoints: ['http://10.0.0.7:2381'], caFile", 1),
			func(l *lab) { l.answers(map[string]string{"http://10.0.0.7:2381": "3.5.1"}) }, []string{
				"E ExternalEtcdVersion: etcd at http://10.0.0.7:2381 is 3.5.1; the oldest that works is 3.5.24",
				"E ExternalEtcdClientCertificates: cannot read /e/ca.crt: no such file or directory",
			}},
	})
}

func TestExternalEtcdWrongFile(t *testing.T) {
	l := newLab(t, external)
	l.write("/e/ca.crt", "nonsense")
	l.answers(nil)
	got := strings.Join(l.found(), "\n")
	if !strings.HasPrefix(got, "E ExternalEtcdClientCertificates: cannot use the files of etcd.external: ") || strings.Contains(got, "\n") {
		t.Errorf("found: %s", got)
	}
}

// The real question, over TLS, with the CA of the configuration.
func TestExternalEtcdOverTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"etcdserver":"3.4.3","etcdcluster":"3.4.0"}`)
	}))
	defer server.Close()
	l := newLab(t, strings.ReplaceAll(external, `"https://10.0.0.8:2379", "https://10.0.0.9:2379"`, `"`+server.URL+`"`))
	l.write("/e/ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	l.m.EtcdVersion = etcd.ExternalVersion
	want := "E ExternalEtcdVersion: etcd at " + server.URL + " is 3.4.3; the oldest that works is 3.5.24"
	if got := strings.Join(l.found(), "\n"); got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}
