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
	"time"

	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
)

const (
	// dialTimeout bounds one try to connect, and requestTimeout all of a request: an emulated machine needs several seconds for
	// a TLS handshake.
	dialTimeout    = 5 * time.Second
	requestTimeout = 30 * time.Second
	// mostBytes is far more than cluster-info or a kubeconfig ever has.
	mostBytes = 1 << 20
)

// answer is cluster-info as the API server gave it.
type answer struct {
	kubeconfig []byte
	signature  string        // by the token; empty when there is none
	skew       time.Duration // how far the server's clock is ahead of ours; 0 when it does not tell
}

// read gets cluster-info without credentials. With roots, the server must prove to be of one of them; else everybody is believed
// to be it, and only a signature says something.
func (o Options) read(ctx context.Context, roots []*x509.Certificate) (*answer, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, Time: o.Now, InsecureSkipVerify: roots == nil} //nolint:gosec // see above
	if roots != nil {
		config.RootCAs = x509.NewCertPool()
		for _, cert := range roots {
			config.RootCAs.AddCert(cert)
		}
	}
	transport := &http.Transport{
		TLSClientConfig: config, Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DisableKeepAlives: true, // another try may find another server behind the same address
	}
	client := &http.Client{Timeout: requestTimeout, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // no API server does that
	}}
	url := "https://" + o.Endpoint + "/api/v1/namespaces/kube-public/configmaps/" + bootstrapapi.ConfigMapClusterInfo
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.New("it is not an address: it must be host:port")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, o.explain(err, proxyFor(req))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes))
	if err != nil {
		return nil, o.explain(err, proxyFor(req))
	}
	return o.understand(resp, body)
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
		return nil, o.later("busy", o.Patience, fmt.Errorf("the API server, or a load balancer before it, answers %s", resp.Status))
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
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.skew = date.Sub(o.Now())
	}
	if len(a.kubeconfig) == 0 {
		return nil, errors.New("ConfigMap kube-public/cluster-info holds no kubeconfig\n" + howToInform)
	}
	return a, nil
}
