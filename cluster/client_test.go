package cluster

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubewright/kubewright/host/hosttest"
)

// serve starts a TLS server and returns a client that trusts it.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return client(t, s.URL, caOf(s), "secret-token")
}

func caOf(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// refuse answers as the API server does.
func refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":%q,"code":%d}`, reason, message, code)
}

func echo(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

func TestApplySends(t *testing.T) {
	var request *http.Request
	var sent map[string]any
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request = r
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Error(err)
		}
		echo(w, body)
	})
	secret := tokenSecret()
	secret.StringData = map[string]string{"description": "x"}
	if _, err := c.Apply(t.Context(), secret, true); err != nil {
		t.Fatal(err)
	}
	if want := "/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef"; request.Method != "PATCH" || request.URL.Path != want {
		t.Errorf("%s %s", request.Method, request.URL.Path)
	}
	if got := request.URL.RawQuery; !strings.HasPrefix(got, "dryRun=All&fieldManager=kubewright&force=true") {
		t.Errorf("query %s", got)
	}
	if got := request.Header.Get("Content-Type"); got != "application/apply-patch+yaml" {
		t.Errorf("content type %s", got)
	}
	if _, found := sent["stringData"]; found {
		t.Error("stringData was sent")
	}
	if got, _, _ := unstructured.NestedString(sent, "data", "description"); got != base64Of([]byte("x")) {
		t.Errorf("description = %q", got)
	}
}

func TestToSendDropsWhatTheServerKeeps(t *testing.T) {
	for _, obj := range realObjects() {
		u, err := toSend(obj)
		if err != nil {
			t.Fatal(err)
		}
		text, err := u.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "null") || strings.Contains(string(text), `"status"`) {
			t.Errorf("%T: %s", obj, text)
		}
	}
	live := &unstructured.Unstructured{Object: map[string]any{"kind": "Secret", "metadata": map[string]any{"uid": "1"}}}
	if _, err := toSend(live); err != nil || live.GetUID() != "1" {
		t.Error("toSend changed its argument")
	}
}

func TestRetry(t *testing.T) {
	hijack := func(w http.ResponseWriter) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
	}
	for name, test := range map[string]struct {
		fail  func(w http.ResponseWriter)
		tries int
	}{
		"busy":          {func(w http.ResponseWriter) { refuse(w, 429, "TooManyRequests", "wait") }, 3},
		"unavailable":   {func(w http.ResponseWriter) { refuse(w, 503, "ServiceUnavailable", "starting") }, 3},
		"internal":      {func(w http.ResponseWriter) { refuse(w, 500, "InternalError", "etcdserver: leader changed") }, 3},
		"conflict":      {func(w http.ResponseWriter) { refuse(w, 409, "Conflict", "modified") }, 3},
		"connection":    {hijack, 3},
		"namespace":     {func(w http.ResponseWriter) { refuse(w, 404, "NotFound", `namespaces "kube-system" not found`) }, 3},
		"not ready":     {func(w http.ResponseWriter) { refuse(w, 403, "Forbidden", "not yet ready to handle request") }, 3},
		"forbidden":     {func(w http.ResponseWriter) { refuse(w, 403, "Forbidden", "no") }, 1},
		"invalid":       {func(w http.ResponseWriter) { refuse(w, 422, "Invalid", "bad") }, 1},
		"own namespace": {func(w http.ResponseWriter) { refuse(w, 404, "NotFound", `namespaces "mine" not found`) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tries := 0
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if tries++; tries < 3 {
					test.fail(w)
					return
				}
				body, _ := io.ReadAll(r.Body)
				echo(w, body)
			})
			_, err := c.Apply(t.Context(), configMap("kube-system", "a", nil), false)
			if tries != test.tries || (err == nil) != (test.tries == 3) {
				t.Errorf("%d tries, %v", tries, err)
			}
		})
	}
}

func TestRetryEndsWithContext(t *testing.T) {
	c := client(t, "https://"+hosttest.FreeAddress(t), nil, "x")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := c.Live(ctx, configMap("kube-system", "a", nil))
	if err == nil || !strings.Contains(err.Error(), "cannot get ConfigMap kube-system/a: ") ||
		!strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error: %v", err)
	}
}

// TestRetryPatience: the same trouble is borne for as long as was asked, and each new one as long again.
func TestRetryPatience(t *testing.T) {
	const patience = time.Second // long enough for a machine that is busy with other tests
	for name, test := range map[string]struct {
		answer   func(tries int, w http.ResponseWriter, r *http.Request)
		atLeast  time.Duration
		contains string
	}{
		"the same": {func(_ int, w http.ResponseWriter, _ *http.Request) { refuse(w, 503, "ServiceUnavailable", "starting") },
			patience, "starting"},
		"silence": {func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, patience, "deadline exceeded"},
		"another": {func(tries int, w http.ResponseWriter, _ *http.Request) {
			if tries < 4 {
				refuse(w, 503, "ServiceUnavailable", "starting")
				time.Sleep(patience / 6)
				return
			}
			refuse(w, 429, "TooManyRequests", "busy")
		}, patience * 21 / 20, "busy"}, // more than for one trouble alone; a busy machine asks again by itself
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			c := serve(t, func(w http.ResponseWriter, r *http.Request) { test.answer(int(tries.Add(1)), w, r) })
			c.patience = patience
			began := time.Now()
			_, err := c.Live(t.Context(), configMap("kube-system", "a", nil))
			if took := time.Since(began); err == nil || !strings.Contains(err.Error(), test.contains) || took < test.atLeast || took > 20*patience {
				t.Errorf("after %s: %v", took, err)
			}
		})
	}
	var pauses []time.Duration
	last := time.Now()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		pauses = append(pauses, time.Since(last))
		last = time.Now()
		refuse(w, 503, "ServiceUnavailable", "starting")
	})
	c.patience = 2 * time.Second
	if _, err := c.Live(t.Context(), configMap("kube-system", "a", nil)); err == nil || len(pauses) > 15 {
		t.Errorf("%v after %d tries", err, len(pauses))
	}
}

// TestWithPatience: who is slow has more time than who does not answer, and the first client stays as it was.
func TestWithPatience(t *testing.T) {
	const patience = time.Second
	var tries atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) < 3 {
			<-r.Context().Done()
			return
		}
		refuse(w, 404, "NotFound", "no")
	})
	before, began := c.patience, time.Now()
	live, err := c.WithPatience(patience).Live(t.Context(), configMap("kube-system", "a", nil))
	if took := time.Since(began); live != nil || err != nil || took < 2*patience || c.patience != before {
		t.Errorf("after %s: %v, %v", took, live, err)
	}
}

func TestUp(t *testing.T) {
	body, code := "[+]ping ok\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\n[-]etcd failed: x\n", 500
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || r.Header.Get("Authorization") != "Bearer secret-token" {
			t.Errorf("%s with %v", r.URL, r.Header)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	})
	err := c.Up(t.Context())
	if err == nil || !strings.HasSuffix(err.Error(), "failing checks: poststarthook/rbac/bootstrap-roles, etcd") {
		t.Errorf("error: %v", err)
	}
	if code = 200; c.Up(t.Context()) != nil {
		t.Error("not up")
	}
}

func TestMistakes(t *testing.T) {
	c := client(t, "https://127.0.0.1:1", nil, "x")
	widget := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "a/v1", "kind": "Widget"}}
	if _, err := c.Apply(t.Context(), widget, false); err == nil || !strings.Contains(err.Error(), "unknown kind Widget of a/v1") {
		t.Error(err)
	}
	if _, err := c.Live(t.Context(), configMap("", "a", nil)); err == nil || !strings.Contains(err.Error(), "no namespace") {
		t.Error(err)
	}
	if _, err := New([]byte("{"), Options{}); err == nil || !strings.HasPrefix(err.Error(), "cannot read the kubeconfig: ") {
		t.Error(err)
	}
	if _, err := New(nil, Options{}); err == nil {
		t.Error("an empty kubeconfig gave a client")
	}
}

func TestErrorsHideSecrets(t *testing.T) {
	secret := tokenSecret()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		refuse(w, 422, "Invalid", "bad value 0123456789abcdef or "+base64Of([]byte("0123456789abcdef")))
	})
	_, err := c.Apply(t.Context(), secret, false)
	if err == nil || strings.Contains(err.Error(), "0123456789") || strings.Contains(err.Error(), base64Of([]byte("0123456789abcdef"))) {
		t.Errorf("error: %v", err)
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) {
		t.Errorf("the cause is lost: %#v", err)
	}
}

// TestSkew: the answer tells the server's time.
func TestSkew(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		refuse(w, 404, "NotFound", "no")
	})
	if c.Skew() != 0 {
		t.Errorf("before it was asked: %s", c.Skew())
	}
	if _, _, err := c.NodeReady(t.Context(), "w1"); err != nil {
		t.Fatal(err)
	}
	if off := c.Skew() + time.Hour; off.Abs() > 3*time.Second {
		t.Errorf("skew %s", c.Skew())
	}
}
