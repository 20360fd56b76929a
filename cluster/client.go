// Package cluster talks to the Kubernetes API: it applies objects, reads what earlier runs left in the cluster, marks nodes,
// probes the components of the control plane and says why one of them does not come up. It uses client-go's dynamic client
// with a fixed table of kinds: no discovery round trips, no typed clientset.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// FieldManager is the name under which kubewright owns fields of the objects that it applies.
const FieldManager = "kubewright"

// Options change how a Client reaches the API server.
type Options struct {
	// Server replaces the kubeconfig's server, as "https://10.0.0.5:6443": init talks to its own API server even when
	// the kubeconfig names a load balancer that does not know it yet. Default: the kubeconfig's.
	Server string
	// Read reads the files that the kubeconfig names. Default os.ReadFile, each time that they are needed.
	Read func(path string) ([]byte, error)
	// Dial connects to the API server. Default: the kernel's way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout bounds one request. Default 30 seconds: an emulated machine needs several for a TLS handshake.
	Timeout time.Duration
	// Patience is how long a request is tried again while the same thing is wrong: no answer, or the same
	// refusal. It is timeouts.kubernetesAPICall, one minute by default.
	Patience time.Duration
}

// upTimeout bounds one question whether the API server is up.
const upTimeout = 5 * time.Second

// Client is a connection to one cluster with one identity. It is safe for concurrent use.
type Client struct {
	server   string
	http     *http.Client
	direct   *http.Client // for the machine itself: without the proxies of the environment, and for the host that is asked
	dynamic  dynamic.Interface
	patience time.Duration
	ahead    *atomic.Pointer[time.Duration] // the API server's clock
}

// New makes a client from the bytes of a kubeconfig. It sends nothing. The kubeconfig must hold its credentials or name files
// with absolute paths.
func New(kubeconfig []byte, o Options) (*Client, error) {
	loaded, err := clientcmd.Load(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("cannot read the kubeconfig: %w", err)
	}
	if err := embed(loaded, o.Read); err != nil {
		return nil, fmt.Errorf("cannot use the kubeconfig: %w", err)
	}
	overrides := &clientcmd.ConfigOverrides{}
	overrides.ClusterInfo.Server = o.Server
	c, err := clientcmd.NewDefaultClientConfig(*loaded, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot use the kubeconfig: %w", err)
	}
	c.Timeout = o.Timeout
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	c.Dial = o.Dial
	c.QPS = -1 // we send some dozens of requests once; a client-side limit would only slow them down
	c.UserAgent = FieldManager
	c.WarningHandler = rest.NoWarnings{}
	ahead := &atomic.Pointer[time.Duration]{}
	c.Wrap(func(next http.RoundTripper) http.RoundTripper { return dated{next, ahead} })
	transport, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("cannot use the kubeconfig: %w", err)
	}
	d, err := dynamic.NewForConfigAndClient(c, transport)
	if err != nil {
		return nil, fmt.Errorf("cannot use the kubeconfig: %w", err)
	}
	own := rest.CopyConfig(c)
	own.TLSClientConfig.ServerName = ""
	own.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	direct, err := rest.HTTPClientFor(own)
	if err != nil {
		return nil, fmt.Errorf("cannot use the kubeconfig: %w", err)
	}
	return &Client{
		server: strings.TrimSuffix(c.Host, "/"), http: transport, direct: direct, dynamic: d, patience: o.Patience, ahead: ahead,
	}, nil
}

// embed puts the files that a kubeconfig names into it.
func embed(kc *clientcmdapi.Config, read func(string) ([]byte, error)) error {
	if read == nil {
		return nil
	}
	put := func(path *string, into *[]byte) (err error) {
		if *path != "" && len(*into) == 0 {
			*into, err = read(*path)
		}
		*path = ""
		return err
	}
	var errs []error
	for _, c := range kc.Clusters {
		errs = append(errs, put(&c.CertificateAuthority, &c.CertificateAuthorityData))
	}
	for _, u := range kc.AuthInfos {
		errs = append(errs, put(&u.ClientCertificate, &u.ClientCertificateData), put(&u.ClientKey, &u.ClientKeyData))
	}
	return errors.Join(errs...)
}

// WithPatience is the same client, over the same connections, with at most so much Options.Patience.
func (c *Client) WithPatience(most time.Duration) *Client {
	other := *c
	other.patience = min(c.stamina(), most)
	return &other
}

// Server returns the URL of the API server that the client talks to.
func (c *Client) Server() string { return c.server }

// Up asks /readyz once, for at most five seconds. The error says why the API server is not ready: nobody answers, or
// which of its own checks fail.
func (c *Client) Up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	if err := get(ctx, c.http, c.server+"/readyz?verbose=true"); err != nil {
		return fmt.Errorf("the API server is not ready: %w", err)
	}
	return nil
}

// Answers asks once whether somebody answers at all, for at most five seconds, whatever the answer is. For commands at which
// somebody waits: requests go on trying, because an API server may be about to start.
func (c *Client) Answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	err := get(ctx, c.http, c.server+"/livez")
	var answer *answerError
	switch {
	case err == nil || errors.As(err, &answer):
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("cannot reach the API server: no answer from %s within %s", c.server, upTimeout)
	}
	return fmt.Errorf("cannot reach the API server: %w", err)
}

// get asks for url and returns nil when the answer is 200. The error carries the checks that failed or the body's start.
func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("cannot ask %s: %w", url, err)
	}
	answer, err := client.Do(req)
	if err != nil {
		return err // a *url.Error names the URL
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 16<<10))
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return errors.Join(&answerError{url: url, code: answer.StatusCode, text: failing(string(body))}, err)
}

// answerError is an answer other than 200.
type answerError struct {
	url, text string
	code      int
}

func (e *answerError) Error() string { return fmt.Sprintf("%s answers %d: %s", e.url, e.code, e.text) }

// refused says that the server wants to know who asks.
func refused(err error) bool {
	var answer *answerError
	return errors.As(err, &answer) && (answer.code == http.StatusUnauthorized || answer.code == http.StatusForbidden)
}

// failing picks the failed checks out of a verbose health answer, or else shortens the body to one line.
func failing(body string) string {
	var failed []string
	for line := range strings.Lines(body) {
		if check, ok := strings.CutPrefix(line, "[-]"); ok {
			check, _, _ = strings.Cut(check, " ")
			failed = append(failed, check)
		}
	}
	if len(failed) > 0 {
		return "failing checks: " + strings.Join(failed, ", ")
	}
	line := strings.Join(strings.Fields(body), " ")
	if len(line) > 200 {
		line = line[:200] + "..."
	}
	if line == "" {
		return "no body"
	}
	return line
}
