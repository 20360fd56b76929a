package discovery

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// brought is a kubeconfig as people hand it over: its own names, and a cluster and a user that are no business of the machine.
func brought(t *testing.T, server string, ca []byte, user *clientcmdapi.AuthInfo) *clientcmdapi.Config {
	t.Helper()
	c := clientcmdapi.NewConfig()
	c.CurrentContext = "now"
	c.Clusters["prod"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	c.Clusters["other"] = &clientcmdapi.Cluster{Server: "https://other.example"}
	c.Contexts["now"] = &clientcmdapi.Context{Cluster: "prod"}
	if user != nil {
		c.Contexts["now"].AuthInfo = "me"
		c.AuthInfos["me"] = user
	}
	c.AuthInfos["somebody"] = &clientcmdapi.AuthInfo{Token: "other-secret"}
	return c
}

func bytesOf(t *testing.T, c *clientcmdapi.Config) []byte {
	t.Helper()
	data, err := clientcmd.Write(*c)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func files(m map[string][]byte) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if data, ok := m[name]; ok {
			return data, nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
}

func TestByFile(t *testing.T) {
	ca := newCA(t)
	cert, key := ca.issue(t, &x509.Certificate{NotAfter: ca.cert.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	script := `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-plugin"}}'`
	plugin := &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: "/bin/sh", Args: []string{"-c", script}, InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}
	const tlsToken = "zzzzzz.0123456789zzzzzz"
	for name, test := range map[string]struct {
		user  *clientcmdapi.AuthInfo
		token string
		// asked is how cluster-info is asked for: the Authorization header, or "certificate".
		asked string
		// next are the credentials that are returned; nil means those of the token.
		next *clientcmdapi.AuthInfo
	}{
		"token":      {user: &clientcmdapi.AuthInfo{Token: "t"}, asked: "Bearer t", next: &clientcmdapi.AuthInfo{Token: "t"}},
		"token file": {user: &clientcmdapi.AuthInfo{TokenFile: "/t"}, asked: "Bearer from-file", next: &clientcmdapi.AuthInfo{Token: "from-file"}},
		"password": {user: &clientcmdapi.AuthInfo{Username: "u", Password: "p"}, asked: "Basic dTpw",
			next: &clientcmdapi.AuthInfo{Username: "u", Password: "p"}},
		"certificate": {user: &clientcmdapi.AuthInfo{ClientCertificate: "/c", ClientKey: "/k"}, asked: "certificate",
			next: &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: keyText}},
		"plug-in":                   {user: &clientcmdapi.AuthInfo{Exec: plugin}, asked: "Bearer from-plugin", next: &clientcmdapi.AuthInfo{Exec: plugin}},
		"token of the command line": {user: &clientcmdapi.AuthInfo{Token: "t"}, token: tlsToken, asked: "Bearer t"},
		"nothing":                   {token: tlsToken},
		"empty user":                {user: &clientcmdapi.AuthInfo{}, token: tlsToken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var text, asked string
			a := serve(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil)}, ClientAuth: tls.RequestClientCert},
				func(w http.ResponseWriter, r *http.Request, _ int) {
					if asked = r.Header.Get("Authorization"); len(r.TLS.PeerCertificates) > 0 {
						asked = "certificate"
					}
					signed(w, text, "")
				})
			text = info(t, a.URL, ca.pem)
			kc := brought(t, a.URL, nil, test.user)
			kc.Clusters["prod"].CertificateAuthority = "/ca"
			found, err := ByFile(t.Context(), bytesOf(t, kc),
				files(map[string][]byte{"/ca": ca.pem, "/c": cert, "/k": keyText, "/t": []byte("from-file\n")}), Options{TLSToken: test.token})
			if err != nil {
				t.Fatal(err)
			}
			if asked != test.asked || a.requests.Load() != 1 {
				t.Errorf("asked %d times, as %q", a.requests.Load(), asked)
			}
			if string(found.CA) != string(ca.pem) || found.Server != a.URL || found.Warnings != nil {
				t.Errorf("found %+v", found)
			}
			userName, next := "me", test.next
			if next == nil {
				userName, next = "tls-bootstrap-token-user", &clientcmdapi.AuthInfo{Token: tlsToken}
			}
			want := clientcmdapi.NewConfig()
			want.CurrentContext = userName + "@prod"
			want.Clusters["prod"] = &clientcmdapi.Cluster{Server: a.URL, CertificateAuthorityData: ca.pem}
			want.Contexts[want.CurrentContext] = &clientcmdapi.Context{Cluster: "prod", AuthInfo: userName}
			want.AuthInfos[userName] = next
			sameKubeconfig(t, want, found.Kubeconfig)
		})
	}
}

// cluster-info itself, saved to a file, has a cluster without a name and nothing else.
func TestByFileOfClusterInfo(t *testing.T) {
	a, ca, _ := good(t)
	found, err := ByFile(t.Context(), []byte(info(t, a.URL, ca.pem)), nil, Options{TokenID: tokenID, TokenSecret: tokenSecret})
	if err != nil {
		t.Fatal(err)
	}
	sameKubeconfig(t, kubeconfigOf(a.URL, ca.pem, tokenID+"."+tokenSecret), found.Kubeconfig)
	want := []string{"the discovery file gives " + a.URL + " as the address of the cluster, and cluster-info gives https://cluster.example:6443; the former is used"}
	if diff := cmp.Diff(want, found.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestByFileAnswers(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			refuse(w, code, map[int]string{401: "Unauthorized", 403: "Forbidden", 404: "NotFound"}[code])
		}
	}
	mine := &clientcmdapi.AuthInfo{Token: "t"}
	for name, test := range map[string]struct {
		user    *clientcmdapi.AuthInfo
		ca      []byte
		answer  func(http.ResponseWriter)
		warning string
		err     string
	}{
		"hidden":                {user: mine, ca: ca.pem, answer: status(403), warning: "the API server does not show cluster-info"},
		"missing":               {user: mine, ca: ca.pem, answer: status(404), warning: "the cluster has no ConfigMap"},
		"no anonymous requests": {ca: ca.pem, answer: status(401), warning: "the API server does not show cluster-info"},
		"expired token":         {user: mine, ca: ca.pem, answer: status(401), err: "does not accept the credentials in it"},
		"garbage":               {user: mine, ca: ca.pem, answer: func(w http.ResponseWriter) { signed(w, "{", "") }, warning: "the kubeconfig in cluster-info is of no use"},
		"another CA":            {user: mine, ca: other.pem, answer: status(403), err: "not signed by the CA that the discovery file trusts"},
		"busy":                  {user: mine, ca: ca.pem, answer: status(503), err: "no"},
		"no CA, unknown server": {user: mine, answer: status(403), err: "not signed by the CA that the discovery file trusts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil)}}, func(w http.ResponseWriter, _ *http.Request, _ int) { test.answer(w) })
			found, err := ByFile(t.Context(), bytesOf(t, brought(t, a.URL, test.ca, test.user)), nil,
				Options{TLSToken: map[bool]string{true: "zzzzzz.0123456789zzzzzz"}[test.user == nil], Patience: 1e9})
			switch {
			case test.err != "":
				if err == nil || !strings.HasPrefix(err.Error(), "cannot discover the cluster at "+a.URL+", which the discovery file names: ") ||
					!strings.Contains(err.Error(), test.err) {
					t.Errorf("error: %v", err)
				}
			case err != nil:
				t.Error(err)
			case len(found.Warnings) != 1 || !strings.HasPrefix(found.Warnings[0], test.warning):
				t.Errorf("warnings: %q", found.Warnings)
			}
		})
	}
}

// Files that can't be used are not even tried.
func TestByFileMistakes(t *testing.T) {
	ca := newCA(t)
	const server = "https://127.0.0.1:1"
	mine := &clientcmdapi.AuthInfo{Token: "t"}
	change := func(set func(*clientcmdapi.Config)) []byte {
		c := brought(t, server, ca.pem, mine)
		set(c)
		return bytesOf(t, c)
	}
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"no credentials":  {bytesOf(t, brought(t, server, ca.pem, nil)), "it holds no credentials: give a bootstrap token with --tls-bootstrap-token"},
		"half a pair":     {bytesOf(t, brought(t, server, ca.pem, &clientcmdapi.AuthInfo{ClientCertificateData: ca.pem})), "it holds no credentials"},
		"not YAML":        {[]byte("{"), ""},
		"empty":           {nil, "its current-context names no cluster"},
		"no context":      {change(func(c *clientcmdapi.Config) { c.CurrentContext = "x" }), "its current-context names no cluster"},
		"no such cluster": {change(func(c *clientcmdapi.Config) { c.Contexts["now"].Cluster = "x" }), "its current-context names no cluster"},
		"no such user":    {change(func(c *clientcmdapi.Config) { c.Contexts["now"].AuthInfo = "x" }), `names the user "x", who is not in it`},
		"http":            {change(func(c *clientcmdapi.Config) { c.Clusters["prod"].Server = "http://x" }), `its server is "http://x", not an https URL`},
		"insecure": {change(func(c *clientcmdapi.Config) {
			c.Clusters["prod"].InsecureSkipTLSVerify = true
		}), "insecure-skip-tls-verify"},
		"not PEM": {change(func(c *clientcmdapi.Config) { c.Clusters["prod"].CertificateAuthorityData = []byte("x") }), "its CA is no certificate"},
		"no file": {change(func(c *clientcmdapi.Config) {
			c.Clusters["prod"].CertificateAuthorityData, c.Clusters["prod"].CertificateAuthority = nil, "/gone/ca.crt"
		}), "the CA certificate that it names can't be read: open /gone/ca.crt: "},
	} {
		_, err := ByFile(t.Context(), test.data, files(nil), Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "cannot use the discovery file: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A file without a CA, whose server the machine trusts anyhow, gets the one from cluster-info.
func TestMissingCAIsFilledIn(t *testing.T) {
	ca := newCA(t)
	live := func(text string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{"kubeconfig": text}}}
	}
	const server = "https://cluster.example"
	k := &kubeconfig{cluster: &clientcmdapi.Cluster{Server: server}}
	if warnings, err := k.agree(live(info(t, server, ca.pem))); err != nil || warnings != nil || string(k.cluster.CertificateAuthorityData) != string(ca.pem) {
		t.Errorf("%v, %v, %s", warnings, err, k.cluster.CertificateAuthorityData)
	}
	k = &kubeconfig{cluster: &clientcmdapi.Cluster{Server: server}}
	if _, err := k.agree(live("{")); err == nil || !strings.HasPrefix(err.Error(), "it holds no CA certificate, and the kubeconfig in cluster-info is ") {
		t.Error(err)
	}
}

func TestFetchFile(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
			_, _ = io.WriteString(w, "kubeconfig "+r.URL.RawQuery)
		case "/moved":
			http.Redirect(w, r, "/good?moved", http.StatusFound)
		case "/plain":
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		case "/again":
			http.Redirect(w, r, "/again", http.StatusFound)
		case "/long":
			_, _ = w.Write(make([]byte, mostBytes+1))
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	for path, want := range map[string]string{"/good": "kubeconfig ", "/good?key=1": "kubeconfig key=1", "/moved": "kubeconfig moved"} {
		if data, err := fetch(t.Context(), s.URL+path, s.Client().Transport); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	for path, want := range map[string]string{
		"/plain": "without https", "/again": "again and again", "/long": "longer than a MiB", "/gone": "it answers 404 Not Found",
	} {
		if data, err := fetch(t.Context(), s.URL+path, s.Client().Transport); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d bytes, %v", path, len(data), err)
		}
	}
	// The server is not known to the machine; what opens the file does not show.
	address := strings.Replace(s.URL, "https://", "https://me:pass-word@", 1) + "/good?signature=s3cr3t"
	_, err := FetchFile(t.Context(), address)
	if want := fmt.Sprintf("cannot fetch the discovery file from %s/good: tls: failed to verify certificate: ", s.URL); err == nil ||
		!strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "pass-word") {
		t.Errorf("error: %v", err)
	}
	if _, err := FetchFile(t.Context(), "http://127.0.0.1:1/x"); err == nil || !strings.HasSuffix(err.Error(), "it is not an https URL") {
		t.Error(err)
	}
}

// The API server's certificate is good by its own clock, which is two hours behind ours.
func TestFileSkew(t *testing.T) {
	ca := newCA(t, time.Now().Add(-5*time.Hour), time.Now().Add(time.Hour))
	leaf := ca.leaf(t, validity(time.Now().Add(-4*time.Hour), time.Now().Add(-time.Hour)))
	a := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-2*time.Hour).UTC().Format(http.TimeFormat))
		refuse(w, http.StatusForbidden, "Forbidden")
	}))
	a.TLS = &tls.Config{Certificates: []tls.Certificate{leaf}}
	a.Config.ErrorLog = log.New(io.Discard, "", 0)
	a.StartTLS()
	defer a.Close()
	_, err := ByFile(t.Context(), bytesOf(t, brought(t, a.URL, ca.pem, &clientcmdapi.AuthInfo{Token: "t"})), files(nil), Options{})
	if err == nil || !strings.Contains(err.Error(), "this machine's clock is 720") || !strings.Contains(err.Error(), "seconds ahead of the API server's") ||
		!strings.Contains(err.Error(), "timedatectl") {
		t.Error(err)
	}
}

// TestFileCA: the CA is in the file or named by it, with a current context or, as in cluster-info, without.
func TestFileCA(t *testing.T) {
	embedded, named := brought(t, "https://10.0.0.5:6443", []byte("CA"), nil), brought(t, "https://10.0.0.5:6443", nil, nil)
	named.Clusters["prod"].CertificateAuthority = "ca.pem"
	gone := brought(t, "https://10.0.0.5:6443", nil, nil)
	gone.Clusters["prod"].CertificateAuthority = "gone.pem"
	public := &clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{
		"": {Server: "https://10.0.0.5:6443", CertificateAuthorityData: []byte("CA")}}}
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"embedded":     {bytesOf(t, embedded), "CA"},
		"named":        {bytesOf(t, named), "CA of ca.pem"},
		"not readable": {bytesOf(t, gone), ""},
		"none":         {bytesOf(t, brought(t, "https://10.0.0.5:6443", nil, nil)), ""},
		"cluster-info": {bytesOf(t, public), "CA"},
		"no file":      {nil, ""},
		"damaged":      {[]byte("{"), ""},
	} {
		if got := FileCA(test.data, files(map[string][]byte{"ca.pem": []byte("CA of ca.pem")})); string(got) != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
