package etcd

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// versionTries and versionPause bound how often a transport or server error is tried again. They are kubeadm's: an etcd
	// that is restarted comes back in that time.
	versionTries = 4
	versionPause = 5 * time.Second
)

// VersionLimit is the longest that ExternalVersion takes.
const VersionLimit = versionTries*callTimeout + (versionTries-1)*versionPause

// ExternalVersion asks <endpoint>/version over HTTP or HTTPS and returns the server's version, as "3.6.6". It is how preflight
// looks at an external etcd: httpEndpoints need not speak gRPC. One try takes at most ten seconds; a transport or
// server error is tried three times more, five seconds apart, but for a certificate that is not trusted. t may be nil for an
// http endpoint.
func ExternalVersion(ctx context.Context, endpoint string, t *tls.Config) (string, error) {
	return externalVersion(ctx, endpoint, t, versionPause)
}

func externalVersion(ctx context.Context, endpoint string, t *tls.Config, pause time.Duration) (string, error) {
	transport := &http.Transport{TLSClientConfig: t, Proxy: http.ProxyFromEnvironment}
	client := &http.Client{Transport: transport, Timeout: callTimeout}
	defer transport.CloseIdleConnections()
	url := strings.TrimSuffix(endpoint, "/") + "/version"
	for try := 1; ; try++ {
		version, again, err := askVersion(ctx, client, url)
		if err == nil {
			return version, nil
		}
		err = fmt.Errorf("cannot get the version of etcd at %s: %w", endpoint, err)
		if !again || try == versionTries {
			return "", err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return "", err
		case <-timer.C:
		}
	}
}

func askVersion(ctx context.Context, client *http.Client, url string) (version string, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", false, err
	}
	answer, err := client.Do(req)
	if err != nil {
		return "", !errors.As(err, new(*tls.CertificateVerificationError)), err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	switch {
	case err != nil:
		return "", true, err
	case answer.StatusCode != http.StatusOK:
		return "", answer.StatusCode >= 500, fmt.Errorf("%s answers %s", url, answer.Status)
	}
	var versions struct {
		Server string `json:"etcdserver"`
	}
	if err := json.Unmarshal(body, &versions); err != nil {
		return "", false, fmt.Errorf("%s does not answer with etcd's JSON: %w", url, err)
	}
	if versions.Server == "" {
		return "", false, fmt.Errorf("%s does not name a version", url)
	}
	return versions.Server, false, nil
}
