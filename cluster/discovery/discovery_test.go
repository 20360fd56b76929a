package discovery

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfigOf is the kubeconfig with one cluster, one user and the names that kubeadm gives them.
func kubeconfigOf(server string, ca []byte, token string) *clientcmdapi.Config {
	const context = "tls-bootstrap-token-user@kubernetes"
	c := clientcmdapi.NewConfig()
	c.CurrentContext = context
	c.Clusters["kubernetes"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	c.Contexts[context] = &clientcmdapi.Context{Cluster: "kubernetes", AuthInfo: "tls-bootstrap-token-user"}
	c.AuthInfos["tls-bootstrap-token-user"] = &clientcmdapi.AuthInfo{Token: token}
	return c
}

func sameKubeconfig(t *testing.T, want *clientcmdapi.Config, text []byte) {
	t.Helper()
	got, err := clientcmd.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range got.Clusters {
		c.Extensions = nil
	}
	for _, c := range got.Contexts {
		c.Extensions = nil
	}
	for _, u := range got.AuthInfos {
		u.Extensions = nil
	}
	if diff := cmp.Diff(want.Clusters, got.Clusters) + cmp.Diff(want.Contexts, got.Contexts) + cmp.Diff(want.AuthInfos, got.AuthInfos) +
		cmp.Diff(want.CurrentContext, got.CurrentContext); diff != "" {
		t.Errorf("kubeconfig (-want +got):\n%s", diff)
	}
}

func TestByToken(t *testing.T) {
	for name, test := range map[string]struct {
		change   func(*Options)
		token    string
		requests int32
	}{
		"pinned":        {func(*Options) {}, tokenID + "." + tokenSecret, 1},
		"capital pin":   {func(o *Options) { o.CAHashes[0] = "sha256:" + strings.ToUpper(o.CAHashes[0][7:]) }, tokenID + "." + tokenSecret, 1},
		"one of pins":   {func(o *Options) { o.CAHashes = append([]string{"sha256:00"}, o.CAHashes...) }, tokenID + "." + tokenSecret, 1},
		"other token":   {func(o *Options) { o.TLSToken = "zzzzzz.0123456789zzzzzz" }, "zzzzzz.0123456789zzzzzz", 1},
		"without a pin": {func(o *Options) { o.CAHashes, o.UnsafeSkipCA = nil, true }, tokenID + "." + tokenSecret, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, ca, o := good(t)
			test.change(&o)
			found, err := ByToken(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if string(found.CA) != string(ca.pem) || found.Server != "https://cluster.example:6443" || found.Warnings != nil {
				t.Errorf("found %+v", found)
			}
			sameKubeconfig(t, kubeconfigOf(found.Server, ca.pem, test.token), found.Kubeconfig)
			if n := a.requests.Load(); n != test.requests {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// A pin that is given counts even if the user would do without.
func TestPinCountsAlways(t *testing.T) {
	_, _, o := good(t)
	o.CAHashes, o.UnsafeSkipCA = []string{newCA(t).pin()}, true
	if _, err := ByToken(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is not the one that") {
		t.Error(err)
	}
}

// What mends itself is waited for: a server that starts, a load balancer without one, a signature that is still to be made.
func TestByTokenWaits(t *testing.T) {
	ca := newCA(t)
	var text string
	a := serve(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil)}}, func(w http.ResponseWriter, _ *http.Request, n int) {
		switch n {
		case 1:
			panic(http.ErrAbortHandler) // cuts the connection
		case 2:
			http.Error(w, "no server is available", http.StatusServiceUnavailable)
		case 3:
			refuse(w, http.StatusForbidden, "Forbidden")
		case 4:
			refuse(w, http.StatusNotFound, "NotFound")
		case 5, 6:
			signed(w, text, "")
		default:
			signed(w, text, tokenSecret)
		}
	})
	text = info(t, a.URL, ca.pem)
	o := options(a, ca)
	o.Patience = 20 * time.Second
	var told []string
	o.Progress = func(line string) { told = append(told, line) }
	if _, err := ByToken(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"the connection is cut: ", "the API server, or a load balancer before it, answers 503 ",
		"the API server does not show cluster-info to everybody", "the cluster has no ConfigMap kube-public/cluster-info",
		"the cluster does not know the token with the ID abcdef",
	}
	if !slices.EqualFunc(told, want, strings.HasPrefix) {
		t.Errorf("told:\n%s", strings.Join(told, "\n"))
	}
}

// Each trouble has its own patience: three of them may last longer together than one may.
func TestPatienceIsForEachTrouble(t *testing.T) {
	o := Options{Patience: 400 * time.Millisecond}.withDefaults()
	began := time.Now()
	try := func(context.Context) (*Found, error) {
		switch past := time.Since(began); {
		case past < 300*time.Millisecond:
			return nil, o.later("a", o.Patience, errors.New("a"))
		case past < 600*time.Millisecond:
			return nil, o.later("b", o.Patience, errors.New("b"))
		}
		return &Found{Server: "x"}, nil
	}
	if found, err := patiently(t.Context(), o, try); err != nil || found.Server != "x" {
		t.Error(err)
	}
	// Two that take turns do not go on for ever.
	began, n := time.Now(), 0
	_, err := patiently(t.Context(), o, func(context.Context) (*Found, error) {
		n++
		return nil, o.later([]string{"a", "b"}[n%2], o.Patience, errors.New("again"))
	})
	if past := time.Since(began); err == nil || past < o.Patience || past > 10*o.Patience {
		t.Errorf("%v after %v", err, past)
	}
}

func TestByTokenEndsWithContext(t *testing.T) {
	a, ca, _ := good(t)
	a.Close()
	o := options(a, ca)
	o.Patience = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(string) { cancel() }
	_, err := ByToken(ctx, o)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("canceled: %v", err)
	}
	o.Progress, o.Timeout = nil, 200*time.Millisecond
	began := time.Now()
	_, err = ByToken(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "connection refused") || time.Since(began) > 10*time.Second {
		t.Errorf("timeout after %v: %v", time.Since(began), err)
	}
}

// Who answers nothing is given up soon, whether it listens or not; the user may say that it is to be waited for.
func TestSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	kubeconfig := bytesOf(t, brought(t, "https://"+l.Addr().String(), newCA(t).pem, &clientcmdapi.AuthInfo{Token: "t"}))
	for name, ask := range map[string]func(Options) (*Found, error){
		"token": func(o Options) (*Found, error) { return ByToken(t.Context(), o) },
		"file":  func(o Options) (*Found, error) { return ByFile(t.Context(), kubeconfig, files(nil), o) },
	} {
		for reach, most := range map[time.Duration]time.Duration{0: 3 * time.Second, 1500 * time.Millisecond: 6 * time.Second} {
			o := Options{
				Endpoint: l.Addr().String(), TokenID: tokenID, TokenSecret: tokenSecret, UnsafeSkipCA: true,
				Patience: 300 * time.Millisecond, Reach: reach, request: 400 * time.Millisecond,
			}
			began := time.Now()
			_, err := ask(o)
			if past := time.Since(began); err == nil || past > most || past < reach || !strings.Contains(err.Error(), "nothing came in time") {
				t.Errorf("%s, %s: after %s: %v", name, reach, past, err)
			}
		}
	}
}
