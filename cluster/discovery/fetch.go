package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// FetchFile gets a discovery file from an https URL, whose server the machine's own authorities must vouch for. It takes at most
// 30 seconds. Messages leave out the query and the password of the URL: they may be what opens it.
func FetchFile(ctx context.Context, address string) ([]byte, error) {
	data, err := fetch(ctx, address, http.DefaultTransport)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch the discovery file from %s: %w", shown(address), err)
	}
	return data, nil
}

func fetch(ctx context.Context, address string, transport http.RoundTripper) ([]byte, error) {
	client := &http.Client{Timeout: requestTimeout, Transport: transport, CheckRedirect: func(to *http.Request, before []*http.Request) error {
		if to.URL.Scheme != "https" {
			return errors.New("it redirects to an address without https, where everybody could answer")
		}
		if len(before) > 5 {
			return errors.New("it redirects again and again")
		}
		return nil
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil || req.URL.Scheme != "https" {
		return nil, errors.New("it is not an https URL")
	}
	resp, err := client.Do(req)
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes+1))
	if len(data) > mostBytes {
		return nil, errors.New("it is longer than a MiB, which no kubeconfig is")
	}
	return data, err
}

// shown is a URL as messages show it.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that is not a URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
