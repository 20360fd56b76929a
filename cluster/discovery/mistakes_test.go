package discovery

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubewright/kubewright/cause"
)

func validity(from, to time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

// Every mistake has its own message, says what mends it, and shows soon.
func TestByTokenMistakes(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	pair := ca.leaf(t, nil)
	const server = "https://cluster.example:6443"
	text := info(t, server, ca.pem)
	type answers = func(w http.ResponseWriter, r *http.Request, n int)
	always := func(kubeconfig string) answers {
		return func(w http.ResponseWriter, _ *http.Request, _ int) { signed(w, kubeconfig, tokenSecret) }
	}
	status := func(code int, reason string) answers {
		return func(w http.ResponseWriter, _ *http.Request, _ int) { refuse(w, code, reason) }
	}
	plain := func(code int, body string) answers {
		return func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Location", "https://127.0.0.1:1/login")
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	for name, test := range map[string]struct {
		tls      *tls.Config // nil: pair
		answers  answers
		change   func(*Options)
		want     string
		hint     string
		requests int // at most; 0: none
		waits    bool
	}{
		"not known": {answers: func(w http.ResponseWriter, _ *http.Request, _ int) { signed(w, text, "") },
			want: "does not know the token with the ID abcdef: ", hint: "kubewright token create", requests: 20, waits: true},
		"other secret": {answers: func(w http.ResponseWriter, _ *http.Request, _ int) { signed(w, text, "fedcba9876543210") },
			want: "the part after the dot of token abcdef is misspelt", hint: "kubewright token create", requests: 1},
		"another cluster": {answers: func(w http.ResponseWriter, _ *http.Request, _ int) { signed(w, info(t, server, other.pem), "") },
			want: "it is not the cluster that was meant, or somebody is in the middle: ", hint: "is it the right address?", requests: 1},
		"other pin": {answers: always(text), change: func(o *Options) { o.CAHashes = []string{other.pin()} },
			want: "the cluster's CA is not the one that --discovery-token-ca-cert-hash pins", hint: "openssl x509 -pubkey", requests: 1},
		"no pin": {answers: always(text), change: func(o *Options) { o.CAHashes = nil },
			want: "there is no pin of its CA", hint: "openssl x509 -pubkey"},
		"server of another CA": {tls: &tls.Config{Certificates: []tls.Certificate{other.leaf(t, nil)}}, answers: always(text),
			want: "the server's certificate is not signed by the pinned CA: somebody is in the middle", hint: "is it the right address?", requests: 1},
		"another CA beside the pinned one": {tls: &tls.Config{Certificates: []tls.Certificate{other.leaf(t, nil)}},
			answers: always(info(t, server, append(append([]byte{}, ca.pem...), other.pem...))),
			want:    "is not signed by the pinned CA", requests: 1},
		"other name": {tls: &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"cluster.example"}
		})}}, answers: always(text), want: "the server's certificate is not for this address: ", hint: "apiServer.certSANs", requests: 1},
		"our clock is ahead": {answers: always(text), change: func(o *Options) {
			o.Now = func() time.Time { return time.Now().Add(3 * time.Hour) }
		}, want: "clock is 10", hint: "timedatectl", requests: 1},
		"our clock is behind": {answers: always(text), change: func(o *Options) {
			o.Now = func() time.Time { return time.Now().Add(-3 * time.Hour) }
		}, want: "clock is 10", hint: "timedatectl", requests: 1},
		"expired": {tls: &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, validity(time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)))}},
			answers: always(text), want: "the server's certificate has expired at ", hint: "kubeadm certs check-expiration", requests: 1},
		"hidden":    {answers: status(403, "Forbidden"), want: "does not show cluster-info to everybody", hint: "--discovery-file", requests: 20, waits: true},
		"missing":   {answers: status(404, "NotFound"), want: "has no ConfigMap kube-public/cluster-info", hint: "kubewright init phase bootstrap-token", requests: 20, waits: true},
		"anonymous": {answers: status(401, "Unauthorized"), want: "--anonymous-auth is off", hint: "--discovery-file", requests: 1},
		"busy":      {answers: status(503, "ServiceUnavailable"), want: "answers 503 Service Unavailable: no", hint: "have a quorum?", requests: 20, waits: true},
		"web site":  {answers: plain(200, "<html>"), want: "answers 200 OK: that is not how an API server answers", requests: 1},
		"web error": {answers: plain(404, "<html>"), want: "answers 404 Not Found: that is not how", requests: 1},
		"redirect":  {answers: plain(302, ""), want: "answers 302 Found: that is not how", requests: 1},
		"JSON":      {answers: plain(200, `{"kind":"PodList"}`), want: "that is not how an API server answers", requests: 1},
		"empty":     {answers: plain(200, `{"kind":"ConfigMap"}`), want: "cluster-info holds no kubeconfig", hint: "init phase bootstrap-token", requests: 1},
		"garbage":   {answers: always("{"), want: "the kubeconfig in cluster-info is of no use: ", requests: 1},
		"no CA":     {answers: always(info(t, server, nil)), want: "holds no CA certificate", requests: 1},
		"bad CA":    {answers: always(info(t, server, []byte("x"))), want: "holds no CA certificate", requests: 1},
		"http":      {answers: always(info(t, "http://cluster.example", ca.pem)), want: `its server is "http://cluster.example", not an https URL`, requests: 1},
		"wants a client certificate": {
			tls:     &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()},
			answers: always(text), want: "it refuses the TLS connection", hint: "is it the right address and port?"},
		"cut": {answers: func(http.ResponseWriter, *http.Request, int) { panic(http.ErrAbortHandler) },
			want: "the connection is cut: ", hint: "does a load balancer have", requests: 20, waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.tls == nil {
				test.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
			}
			a := serve(t, test.tls, test.answers)
			o := options(a, ca)
			if test.change != nil {
				test.change(&o)
			}
			told := 0
			o.Progress = func(string) { told++ }
			found, err := ByToken(t.Context(), o)
			if err == nil || found != nil {
				t.Fatalf("found %+v", found)
			}
			checkMessage(t, err, test.want, test.hint, a.endpoint())
			if n := int(a.requests.Load()); n > test.requests || test.requests > 0 && n == 0 {
				t.Errorf("%d requests", n)
			}
			if test.waits != (told > 0) {
				t.Errorf("told %d times what is waited for", told)
			}
		})
	}
}

func checkMessage(t *testing.T, err error, want, hint, endpoint string) {
	t.Helper()
	line, rest, _ := strings.Cut(err.Error(), "\n")
	if !strings.Contains(line, want) || !strings.Contains(line+rest, hint) || !strings.HasPrefix(line, "cannot ") || !strings.Contains(line, endpoint) {
		t.Errorf("message: %v", err)
	}
	if strings.Contains(err.Error(), tokenSecret) || strings.Contains(err.Error(), infoPath) {
		t.Errorf("the message tells too much: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	a, ca, o := good(t)
	a.Close()
	began := time.Now()
	_, err := ByToken(t.Context(), o)
	if err == nil {
		t.Fatal("found it")
	}
	checkMessage(t, err, "it does not answer, nobody listens there: ", "is it the right address and port", a.endpoint())
	if why := cause.Of(err); why != cause.Unreachable {
		t.Errorf("the cause is %s", why)
	}
	if past := time.Since(began); past < o.Patience || past > 20*o.Patience {
		t.Errorf("after %v", past)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	o = options(a, ca)
	o.Endpoint = strings.TrimPrefix(plain.URL, "http://")
	_, err = ByToken(t.Context(), o)
	checkMessage(t, err, "it does not speak TLS; ", "is it the right address and port", o.Endpoint)

	o.Endpoint = "::bad"
	_, err = ByToken(t.Context(), o)
	checkMessage(t, err, "it is not an address: it must be host:port", "", o.Endpoint)
}

// These errors need a network to come up by themselves.
func TestExplain(t *testing.T) {
	o := Options{}.withDefaults()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for name, test := range map[string]struct {
		err   error
		proxy string
		want  string
		final bool
	}{
		"name":      {dial(&net.DNSError{Name: "cp.example", IsNotFound: true}), "", "the name cp.example can't be resolved here\n", true},
		"DNS":       {dial(&net.DNSError{Name: "cp.example", Server: "10.9.0.9:53", IsTemporary: true}), "", "the name cp.example can't be resolved now: no name server answers (10.9.0.9:53)\n", false},
		"no route":  {dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), "", "does no firewall stand between?", false},
		"time":      {dial(os.ErrDeadlineExceeded), "", "it does not answer, it can't be reached: ", false},
		"no answer": {os.ErrDeadlineExceeded, "", "it does not answer, nothing came in time: ", false},
		"reset":     {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "", "the connection is cut: ", false},
		"proxy":     {dial(syscall.ECONNREFUSED), "http://u:xxxxx@proxy:3128", "went through the proxy http://u:xxxxx@proxy:3128: ", false},
	} {
		err := o.explain(test.err, test.proxy)
		if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, waits := err.(*passing); waits == test.final { //nolint:errorlint // it is not wrapped yet
			t.Errorf("%s: waits: %v", name, waits)
		}
	}
}

// A CA that has expired is not called the server's certificate.
func TestExpiredCA(t *testing.T) {
	past := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	ca := newCA(t, past(3*time.Hour), past(time.Hour))
	var text string
	a := serve(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil)}}, func(w http.ResponseWriter, _ *http.Request, _ int) {
		signed(w, text, tokenSecret)
	})
	text = info(t, a.URL, ca.pem)
	_, err := ByToken(t.Context(), options(a, ca))
	if err == nil {
		t.Fatal("it was trusted")
	}
	checkMessage(t, err, "the cluster's CA certificate has expired at ", "kubeadm certs check-expiration", a.endpoint())
}
