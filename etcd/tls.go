package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/util/version"
)

const (
	// dialTimeout bounds a connection that is made only to see why calls fail.
	dialTimeout = 3 * time.Second
	// alertTimeout is how long such a connection waits for the server to refuse the client's certificate.
	alertTimeout = 300 * time.Millisecond
)

// TLS makes the configuration for etcd's client port from PEM. cert and key may both be empty; an empty ca means the system's
// authorities. The error says which of the three is wrong.
func TLS(ca, cert, key []byte) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("the CA file of etcd holds no PEM certificate")
		}
	}
	if len(cert) > 0 || len(key) > 0 {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("the client certificate and key files of etcd do not work: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// dial connects to an endpoint once, with a TLS handshake when t is not nil, and says why that fails.
func dial(ctx context.Context, endpoint string, t *tls.Config) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if t == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	conn, err := (&tls.Dialer{Config: t}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	// In TLS 1.3 a server refuses the client's certificate after the client's side of the handshake is done.
	if err := conn.SetReadDeadline(time.Now().Add(alertTimeout)); err != nil {
		return err
	}
	if _, err := conn.Read(make([]byte, 1)); isAlert(err) {
		return err
	}
	return nil
}

// isAlert says whether the peer ended the connection with a TLS alert.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// plain takes gRPC's decoration from an error: "context deadline exceeded" alone hides why nobody could be reached.
func plain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	if s, ok := status.FromError(err); ok {
		message := s.Message()
		if _, cause, found := strings.Cut(message, `desc = "transport: `); found {
			message = strings.TrimSuffix(cause, `"`)
		}
		return errors.New(message)
	}
	return err
}

func permissionDenied(err error) bool {
	return errors.Is(err, rpctypes.ErrPermissionDenied)
}

// older compares versions as "3.5.24"; what can't be read counts as the oldest.
func older(a, b string) bool {
	va, err := version.ParseGeneric(a)
	if err != nil {
		return true
	}
	vb, err := version.ParseGeneric(b)
	return err == nil && va.LessThan(vb)
}
