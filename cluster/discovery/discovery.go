// Package discovery finds a cluster and decides whether to trust it, before a machine has credentials of it: by a bootstrap
// token (KEP-130) or by a kubeconfig that somebody brought. A mistake shows within seconds, with what mends it.
package discovery

import (
	"context"
	"crypto/x509"
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
	// Patience is how long something is waited for that may mend itself: a signature that the controller manager has not made
	// yet. What is more likely a mistake is waited for a fifth of it. Default ten seconds.
	Patience time.Duration
	// Reach is how long an API server is waited for that does not answer. Default Patience.
	Reach time.Duration
	// Timeout bounds the whole. Default five minutes.
	Timeout time.Duration
	// Now is the clock by which certificates are judged. Default time.Now.
	Now func() time.Time
	// Progress, when set, is told what is waited for, each time that it changes.
	Progress func(string)

	// request bounds one request; tests make it shorter.
	request time.Duration
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
	if o.Reach <= 0 {
		o.Reach = o.Patience
	}
	if o.request <= 0 {
		o.request = requestTimeout
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

// ByToken reads the cluster's public cluster-info, checks that it is signed with the token and that its CA is pinned, and that
// who sent it had a certificate of the pinned CA. That is one request: the server has proved to have the key of its certificate,
// and who may have such a one can be judged as well when the answer is here.
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
	first, err := o.read(ctx)
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
		if err := o.compare(first, info); err != nil {
			return nil, err
		}
	}
	kubeconfig, err := info.with(tokenUser, o.token())
	if err != nil {
		return nil, err
	}
	return &Found{CA: info.cluster.CertificateAuthorityData, Server: info.cluster.Server, Kubeconfig: kubeconfig}, nil
}

// verify checks the signature that the token makes over cluster-info.
func (o Options) verify(a *answer) error {
	if a.signature == "" && o.stranger(a) {
		return fmt.Errorf("it is not the cluster that was meant, or somebody is in the middle: it does not know the token with the ID %s, "+
			"and its CA is not the one that --discovery-token-ca-cert-hash pins\nis it the right address? this prints it with a token and the pin, on a control-plane node: kubewright token create --print-join-command",
			o.TokenID)
	}
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

// stranger says that a cluster-info, which nothing vouches for yet, is for a CA that is not pinned.
func (o Options) stranger(a *answer) bool {
	info, err := parse(a.kubeconfig)
	return err == nil && len(o.CAHashes) > 0 && !Pinned(info.cluster.CertificateAuthorityData, o.CAHashes)
}

// compare checks the pins, and that the server proved to be of the pinned CA. A signed list of CAs may hold others besides the
// pinned one, put there by somebody else who knows the token: those do not count here.
func (o Options) compare(first *answer, info *kubeconfig) error {
	pinned := pinned(info.cluster.CertificateAuthorityData, o.CAHashes)
	if len(pinned) == 0 {
		return errors.New("the cluster's CA is not the one that --discovery-token-ca-cert-hash pins: the pin is misspelt or of another cluster, " +
			"or somebody is in the middle\n" + howToPin)
	}
	if err := o.vouched(first, pinned); err != nil {
		return o.distrust(&untrusted{err}, first.skew)
	}
	return nil
}

// vouched says whether one of the roots vouches for the server's certificate, as a TLS client asks.
func (o Options) vouched(a *answer, roots []*x509.Certificate) error {
	if len(a.chain) == 0 {
		return errors.New("the server has shown no certificate")
	}
	v := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), DNSName: a.host, CurrentTime: o.Now()}
	for _, cert := range roots {
		v.Roots.AddCert(cert)
	}
	for _, cert := range a.chain[1:] {
		v.Intermediates.AddCert(cert)
	}
	_, err := a.chain[0].Verify(v)
	return err
}

// What mends things; the commands run on a control-plane node.
const (
	howToToken = "make a new token, on a control-plane node: kubewright token create --print-join-command"
	howToPin   = "to compute the pin, on a control-plane node: openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | " +
		"openssl pkey -pubin -outform der | sha256sum"
	howToInform = "make it, on a control-plane node: kubewright init phase bootstrap-token"
)

// HowToLook is what to do about an API server that answers with errors of its own, or not at all.
const HowToLook = "does its etcd run, and have a quorum? look on the control-plane nodes: kubectl get --raw '/readyz?verbose'; crictl ps -a"
