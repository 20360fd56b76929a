package etcd

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/host/hosttest"
)

func TestExternalVersion(t *testing.T) {
	for name, test := range map[string]struct {
		codes []int
		body  string
		want  string
		fails string
		tries int
	}{
		"good":     {[]int{200}, `{"etcdserver":"3.6.6","etcdcluster":"3.6.0"}`, "3.6.6", "", 1},
		"later":    {[]int{503, 200}, `{"etcdserver":"3.5.24"}`, "3.5.24", "", 2},
		"restarts": {[]int{503, 502, 503, 200}, `{"etcdserver":"3.5.24"}`, "3.5.24", "", 4},
		"broken":   {[]int{500, 500, 500, 500, 500}, "", "", "answers 500", 4},
		"no etcd":  {[]int{404}, "", "", "answers 404", 1},
		"text":     {[]int{200}, "hello", "", "JSON", 1},
		"empty":    {[]int{200}, "{}", "", "does not name a version", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tries := 0
			s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/version" {
					t.Errorf("asked for %s", r.URL)
				}
				w.WriteHeader(test.codes[tries])
				tries++
				_, _ = io.WriteString(w, test.body)
			}))
			defer s.Close()
			ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
			trust, err := TLS(ca, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := externalVersion(t.Context(), s.URL+"/", trust, time.Millisecond)
			if got != test.want || tries != test.tries || (err == nil) != (test.fails == "") {
				t.Fatalf("%q after %d tries, %v", got, tries, err)
			}
			if err != nil && (!strings.Contains(err.Error(), test.fails) || !strings.Contains(err.Error(), s.URL)) {
				t.Error(err)
			}
		})
	}
}

// TestUntrustedVersion: waiting makes no certificate better.
func TestUntrustedVersion(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	begin := time.Now()
	if _, err := externalVersion(t.Context(), s.URL, nil, time.Minute); err == nil || time.Since(begin) > 30*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}

func TestTLS(t *testing.T) {
	for name, test := range map[string]struct {
		ca, cert, key string
		fails         string
	}{
		"bad CA":       {"x", "", "", "CA file"},
		"bad pair":     {"", "x", "y", "client certificate and key"},
		"key only":     {"", "", "y", "client certificate and key"},
		"system trust": {"", "", "", ""},
	} {
		_, err := TLS([]byte(test.ca), []byte(test.cert), []byte(test.key))
		if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open([]string{"https://127.0.0.1:1"}, []byte("x"), nil, nil); err == nil ||
		!strings.HasPrefix(err.Error(), "cannot reach etcd at https://127.0.0.1:1: the CA file") {
		t.Error(err)
	}
	if _, err := Open(nil, nil, nil, nil); err == nil {
		t.Error("no endpoint, no error")
	}
}

func TestOlder(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"3.5.24", "3.6.0", true}, {"3.10.0", "3.9.9", false}, {"3.6.0", "3.6.0", false}, {"?", "3.6.0", true}} {
		if got := older(test.a, test.b); got != test.want {
			t.Errorf("older(%s, %s) = %v", test.a, test.b, got)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	url := "http://" + hosttest.FreeAddress(t)
	c, err := Open([]string{url}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Healthy(t.Context()) // no deadline: it must not wait for gRPC's
	if err == nil || !strings.Contains(err.Error(), "etcd at "+url+" does not answer: ") ||
		!strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
}

func TestForeignServer(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	c, err := Open([]string{s.URL}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = c.Version(ctx)
	if err == nil || !strings.Contains(err.Error(), s.URL) || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Error(err)
	}
}
