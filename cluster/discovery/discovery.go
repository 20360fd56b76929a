// Package discovery finds a cluster and decides whether to trust it, before a machine has credentials of it: by a bootstrap
// token (KEP-130) or by a kubeconfig that somebody brought. A mistake shows within seconds, with what mends it.
package discovery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/cluster-bootstrap/token/jws"
	bootstraputil "k8s.io/cluster-bootstrap/token/util"
)

// Options say which cluster is looked for, and why it would be trusted.
type Options struct {
	// Endpoint is an address of the control plane, "host:port".
	Endpoint string
	// TokenID and TokenSecret are the two parts of the bootstrap token.
	TokenID, TokenSecret string
	// CAHashes pin the CA, each "sha256:" and the hash of its public key in hexadecimal digits; one must match.
	CAHashes []string
	// UnsafeSkipCA trusts whoever knows the token, if there are no pins.
	UnsafeSkipCA bool
	// TLSToken is the token that goes into the credentials which are returned. Default: the token of discovery.
	TLSToken string
	// Patience is how long something is waited for that may mend itself: an API server that does not answer, a signature that
	// the controller manager has not made yet. What is more likely a mistake is waited for a fifth of it. Default ten seconds.
	Patience time.Duration
	// Timeout bounds the whole. Default five minutes.
	Timeout time.Duration
	// Now is the clock by which certificates are judged. Default time.Now.
	Now func() time.Time
	// Progress, when set, is told what is waited for, each time that it changes.
	Progress func(string)
}

// Found is the cluster.
type Found struct {
	// CA holds the cluster's CA certificates in PEM.
	CA []byte
	// Server is the address of the control plane as the cluster or the file gives it, "https://host:port".
	Server string
	// Kubeconfig holds the credentials for what comes next, and for the kubelet's request for a certificate. It is a secret.
	Kubeconfig []byte
	// Warnings are for the user; they do not keep a machine from joining.
	Warnings []string
}

func (o Options) withDefaults() Options {
	if o.Patience <= 0 {
		o.Patience = 10 * time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// token is the one that goes into the credentials; empty when there is none.
func (o Options) token() string {
	if o.TLSToken == "" && o.TokenID != "" {
		return bootstraputil.TokenFromIDAndSecret(o.TokenID, o.TokenSecret)
	}
	return o.TLSToken
}

// ByToken reads the cluster's public cluster-info, checks that it is signed with the token and that its CA is pinned, and reads
// it again over a connection that the pinned CA secures: the bytes must be the same. That is two requests.
//
// The error says what is wrong and how to mend it: the endpoint does not answer, is no API server or hides cluster-info; the
// token is not known, has expired or has another secret; no pin matches; a clock is wrong; somebody is in the middle.
func ByToken(ctx context.Context, o Options) (*Found, error) {
	o = o.withDefaults()
	if len(o.CAHashes) == 0 && !o.UnsafeSkipCA {
		return nil, fmt.Errorf("cannot trust the cluster at %s: there is no pin of its CA: give --discovery-token-ca-cert-hash\n%s",
			o.Endpoint, howToPin)
	}
	found, err := patiently(ctx, o, o.look)
	if err != nil {
		return nil, fmt.Errorf("cannot discover the cluster at %s: %w", o.Endpoint, err)
	}
	return found, nil
}

// look does it once.
func (o Options) look(ctx context.Context) (*Found, error) {
	first, err := o.read(ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := o.verify(first); err != nil {
		return nil, err
	}
	info, err := parse(first.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, howToInform)
	}
	if len(o.CAHashes) > 0 {
		if err := o.compare(ctx, first, info); err != nil {
			return nil, err
		}
	}
	kubeconfig, err := info.with(tokenUser, o.token())
	if err != nil {
		return nil, err
	}
	return &Found{CA: info.cluster.CertificateAuthorityData, Server: info.cluster.Server, Kubeconfig: kubeconfig, Warnings: o.skewed(first)}, nil
}

// verify checks the signature that the token makes over cluster-info.
func (o Options) verify(a *answer) error {
	if a.signature == "" {
		return o.later("unsigned", o.Patience, fmt.Errorf("the cluster does not know the token with the ID %s: it is misspelt, or has expired, "+
			"or is not for signing\n%s", o.TokenID, howToToken))
	}
	if !jws.DetachedTokenIsValid(a.signature, string(a.kubeconfig), o.TokenID, o.TokenSecret) {
		return fmt.Errorf("the token does not match the cluster: the part after the dot of token %s is misspelt, or somebody is in the middle\n%s",
			o.TokenID, howToToken)
	}
	return nil
}

// compare checks the pins, and reads cluster-info again from a server that proves to be of the pinned CA. A signed list of CAs
// may hold others besides the pinned one, put there by somebody else who knows the token: those do not count here.
func (o Options) compare(ctx context.Context, first *answer, info *kubeconfig) error {
	pinned := pinned(info.cluster.CertificateAuthorityData, o.CAHashes)
	if len(pinned) == 0 {
		return errors.New("the cluster's CA is not the one that --discovery-token-ca-cert-hash pins: the pin is misspelt or of another cluster, " +
			"or somebody is in the middle\n" + howToPin)
	}
	second, err := o.read(ctx, pinned)
	var tls *untrusted
	switch {
	case errors.As(err, &tls):
		return o.distrust(tls, first)
	case err != nil:
		return err
	case !bytes.Equal(first.kubeconfig, second.kubeconfig):
		return o.later("changed", o.Patience/5, errors.New("cluster-info is not the same over a connection that the pinned CA secures: "+
			"it is being changed, or somebody is in the middle"))
	}
	first.skew = second.skew // nobody in between can have set this one
	return nil
}

// What mends things; the commands run on a control-plane node.
const (
	howToToken = "make a new token, on a control-plane node: kubewright token create --print-join-command"
	howToPin   = "to compute the pin, on a control-plane node: openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | " +
		"openssl pkey -pubin -outform der | sha256sum"
	howToInform = "make it, on a control-plane node: kubewright init phase bootstrap-token"
)
