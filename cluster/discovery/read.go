package discovery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"

	bootstrapapi "k8s.io/cluster-bootstrap/token/api"

	"github.com/kubewright/kubewright/cluster"
)

const (
	// dialTimeout bounds one try to connect, and requestTimeout all of a request: an emulated machine needs several seconds for
	// a TLS handshake.
	dialTimeout    = 5 * time.Second
	requestTimeout = 15 * time.Second
	// mostBytes is far more than cluster-info or a kubeconfig ever has.
	mostBytes = 1 << 20
)

// answer is cluster-info as the API server gave it.
type answer struct {
	kubeconfig []byte
	signature  string        // by the token; empty when there is none
	skew       time.Duration // how far the server's clock is ahead of ours; 0 when it does not tell
	// host is who was asked, and chain are the certificates of who answered: it has the key of the first, and nothing else is
	// known of it yet.
	host  string
	chain []*x509.Certificate
}

// read gets cluster-info without credentials. Everybody is believed to be the server: whether it is, its signature and its
// certificates say afterwards.
func (o Options) read(ctx context.Context) (*answer, error) {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, //nolint:gosec // see above
		Proxy:           http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DisableKeepAlives: true, // another try may find another server behind the same address
	}
	client := &http.Client{Timeout: o.request, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // no API server does that
	}}
	url := "https://" + o.Endpoint + "/api/v1/namespaces/kube-public/configmaps/" + bootstrapapi.ConfigMapClusterInfo
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.New("it is not an address: it must be host:port")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", cluster.FieldManager) // for the audit log: no credentials tell who asks
	resp, err := client.Do(req)
	if err != nil {
		return nil, o.explain(err, proxyFor(req))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes))
	if err != nil {
		return nil, o.explain(err, proxyFor(req))
	}
	a, err := o.understand(resp, body)
	if err != nil {
		return nil, err
	}
	a.host, a.chain = req.URL.Hostname(), resp.TLS.PeerCertificates
	return a, nil
}

var errNotAPI = errors.New("that is not how an API server answers: is it the right address and port?")

// understand reads the response.
func (o Options) understand(resp *http.Response, body []byte) (*answer, error) {
	var object struct {
		Kind    string            `json:"kind"`
		Message string            `json:"message"`
		Data    map[string]string `json:"data"`
	}
	if err := json.Unmarshal(body, &object); err != nil {
		object.Kind = ""
	}
	switch code := resp.StatusCode; {
	case code >= 500 || code == http.StatusTooManyRequests:
		return nil, o.later("busy", o.Reach, fmt.Errorf("the API server, or a load balancer before it, answers %s%s\n%s",
			resp.Status, said(object.Message), HowToLook))
	case object.Kind == "Status" && code == http.StatusNotFound:
		return nil, o.later("missing", o.Patience/5, errors.New("the cluster has no ConfigMap kube-public/cluster-info\n"+howToInform))
	case object.Kind == "Status" && code == http.StatusForbidden:
		return nil, o.later("hidden", o.Patience/5, errors.New("the API server does not show cluster-info to everybody: the RoleBinding "+
			"kube-public/kubeadm:bootstrap-signer-clusterinfo is missing\n"+howToInform+"\nor join with --discovery-file"))
	case object.Kind == "Status" && code == http.StatusUnauthorized:
		return nil, errors.New("the API server shows nothing to anybody without credentials (its --anonymous-auth is off)\n" +
			"join with --discovery-file, a kubeconfig with the address and the CA of the cluster")
	case code != http.StatusOK || object.Kind != "ConfigMap":
		return nil, fmt.Errorf("it answers %s: %w", resp.Status, errNotAPI)
	}
	a := &answer{
		kubeconfig: []byte(object.Data[bootstrapapi.KubeConfigKey]),
		signature:  object.Data[bootstrapapi.JWSSignatureKeyPrefix+o.TokenID],
	}
	a.skew = o.skew(resp)
	if len(a.kubeconfig) == 0 {
		return nil, errors.New("ConfigMap kube-public/cluster-info holds no kubeconfig\n" + howToInform)
	}
	return a, nil
}

// said is what a server says of itself, in one line: nobody vouches for it.
func said(message string) string {
	message = strings.Join(strings.FieldsFunc(message, func(r rune) bool { return !unicode.IsPrint(r) }), " ")
	switch {
	case message == "":
		return ""
	case len(message) > 200:
		message = strings.ToValidUTF8(message[:200], "") + "..."
	}
	return ": " + message
}

// skew is how far the server's clock is ahead of ours; 0 when it does not tell.
func (o Options) skew(resp *http.Response) time.Duration {
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0
	}
	return date.Sub(o.Now())
}

// clockOf is the same, asked of a server whose certificate is not valid now, so that only its own word is known.
func (o Options) clockOf(ctx context.Context, server string) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/version", nil)
	if err != nil {
		return 0
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, //nolint:gosec // nothing is sent, and only the date read
		Proxy:           http.ProxyFromEnvironment, DisableKeepAlives: true,
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return o.skew(resp)
}
