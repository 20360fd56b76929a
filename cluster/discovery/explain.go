package discovery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/kubewright/kubewright/cause"
)

// tolerated is how much clocks may differ before they are a cause of what is wrong.
const tolerated = 10 * time.Second

// untrusted is an error about the server's certificate.
type untrusted struct{ cause error }

func (e *untrusted) Error() string { return e.cause.Error() }
func (e *untrusted) Unwrap() error { return e.cause }

// explain says what a failed request means; proxy is empty or the proxy that it went through.
func (o Options) explain(err error, proxy string) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // the message has named the endpoint already
	}
	var record tls.RecordHeaderError
	var verification *tls.CertificateVerificationError
	var operation *net.OpError
	var dns *net.DNSError
	var timeout net.Error
	through := ""
	if proxy != "" {
		through = "\nthe request went through the proxy " + proxy + ": should the address be in NO_PROXY?"
	}
	switch {
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("it does not speak TLS; %w%s", errNotAPI, through)
	case errors.As(err, &verification):
		return &untrusted{verification.Err}
	case errors.As(err, &operation) && operation.Op == "remote error":
		return fmt.Errorf("it refuses the TLS connection (%w); %w%s", operation.Err, errNotAPI, through)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("the name %s can't be resolved here\ncheck /etc/resolv.conf and /etc/hosts, or give an IP address%s", dns.Name, through)
	case errors.As(err, &dns):
		// Its text names another port of ours in each try.
		err = fmt.Errorf("the name %s can't be resolved now: no name server answers%s\ncheck /etc/resolv.conf and /etc/hosts, or give an IP address%s",
			dns.Name, in(dns.Server), through)
	case errors.Is(err, syscall.ECONNREFUSED):
		err = fmt.Errorf("it does not answer, nobody listens there: %w\nis it the right address and port, and does the API server run?%s", err, through)
	case !(errors.As(err, &operation) && operation.Op == "dial") && errors.As(err, &timeout) && timeout.Timeout():
		err = fmt.Errorf("it does not answer, nothing came in time: %w\nis it the right address and port, or a load balancer that has no API server "+
			"to give it to, or does a firewall stand between?\n%s%s", err, HowToLook, through)
	case errors.As(err, &operation) && operation.Op == "dial":
		err = fmt.Errorf("it does not answer, it can't be reached: %w\nis it the right address, and does no firewall stand between?%s", err, through)
	default:
		err = fmt.Errorf("the connection is cut: %w\nis the API server starting, or does a load balancer have no API server to give it to?%s", err, through)
	}
	return o.later(unreachable, o.Reach, cause.Unreachable.Mark(err))
}

// distrust says why a server did not prove to be of the pinned CA. skew is how far its clock is ahead.
func (o Options) distrust(tls *untrusted, skew time.Duration) error {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.As(tls, &invalid) && invalid.Reason == x509.Expired:
		return o.expired(invalid.Cert, skew)
	case errors.As(tls, &unknown):
		return fmt.Errorf("the server's certificate is not signed by the pinned CA: somebody is in the middle, or the CA is being replaced "+
			"and the other one must be pinned, too: %w\nis it the right address? the address and the pin are in what this prints, on a "+
			"control-plane node: kubewright token create --print-join-command", tls)
	case errors.As(tls, &name):
		return fmt.Errorf("the server's certificate is not for this address: %w\njoin by one that it is for, or add this one to "+
			"apiServer.certSANs and make the certificate anew", tls)
	}
	return fmt.Errorf("the server's certificate can't be trusted: %w", tls)
}

// distrustFile says why a server did not prove to be the one that the discovery file trusts.
func (o Options) distrustFile(ctx context.Context, tls *untrusted, server string) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(tls, &unknown) {
		return fmt.Errorf("the server's certificate is not signed by the CA that the discovery file trusts: the file is of another cluster, "+
			"or somebody is in the middle: %w", tls)
	}
	var invalid x509.CertificateInvalidError
	skew := time.Duration(0)
	if errors.As(tls, &invalid) && invalid.Reason == x509.Expired {
		skew = o.clockOf(ctx, server)
	}
	return o.distrust(tls, skew)
}

// expired says which clock makes a certificate not valid now. Of the server's clock only its own word is known.
func (o Options) expired(cert *x509.Certificate, skew time.Duration) error {
	now, which := o.Now(), "the server's certificate"
	if cert.IsCA {
		which = "the cluster's CA certificate"
	}
	when := "has expired at " + cert.NotAfter.UTC().Format(time.RFC3339)
	if now.Before(cert.NotBefore) {
		when = "is not valid before " + cert.NotBefore.UTC().Format(time.RFC3339)
	}
	text := fmt.Sprintf("%s %s, and here it is %s", which, when, now.UTC().Format(time.RFC3339))
	if skew.Abs() > tolerated {
		return fmt.Errorf("%s and by the server's clock %s: %s\nset the clock of this machine, as with: timedatectl set-ntp true",
			text, now.Add(skew).UTC().Format(time.RFC3339), apart(skew))
	}
	return fmt.Errorf("%s: is the clock of this machine right?\nlook at the certificates, on a control-plane node: kubeadm certs check-expiration", text)
}

// in is something in brackets, if it is there.
func in(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func apart(skew time.Duration) string {
	direction := "behind"
	if skew < 0 {
		direction = "ahead of"
	}
	return fmt.Sprintf("this machine's clock is %.0f seconds %s the API server's", skew.Abs().Seconds(), direction)
}

// proxyFor is the proxy that the environment asks for, without its password.
func proxyFor(req *http.Request) string {
	proxy, err := http.ProxyFromEnvironment(req)
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.Redacted()
}
