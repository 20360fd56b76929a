package pki

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// leaf keeps or makes a certificate that a CA signs. Its key is kept whenever there is one, so that a run that stops between
// the two files leaves a pair that fits or a key alone.
func (s *Set) leaf(row Row) ([]File, error) {
	p, err := s.pair(row)
	if err != nil {
		return nil, err
	}
	ca, bundle, err := s.signer(row)
	if err != nil {
		return nil, err
	}
	why, err := s.replaceWhy(row, p, ca, bundle)
	if err != nil {
		return nil, err
	}
	if why == "" && p.cert != nil {
		return p.files(""), nil
	}
	if err := s.needKey(&p); err != nil {
		return nil, err
	}
	cert, err := s.issue(row, ca, p.key.Public(), s.in.Now.Add(-backdate), s.in.Now.Add(s.in.Config.Cluster.CertificateValidityPeriod.Duration))
	if err != nil {
		return nil, err
	}
	p.certPEM = encodeCert(cert)
	return p.files(why), nil
}

// replaceWhy says why a certificate that is there must be made again; empty to keep it. It refuses what can't be mended.
func (s *Set) replaceWhy(row Row, p pair, ca pair, bundle []*x509.Certificate) (string, error) {
	switch {
	case p.cert == nil && ca.key == nil:
		return "", fmt.Errorf("cannot make %s: the CA's key %s is not here; bring the certificate", p.certPath, ca.keyPath)
	case p.cert == nil:
		return "", nil
	case !signedBy(p.cert, bundle):
		return "", fmt.Errorf("cannot use %s: it is not signed by %s; bring the right one, or remove it and its key to have them made again",
			p.certPath, ca.certPath)
	}
	why := s.outdated(row, p)
	if why == "" || ca.key != nil {
		return why, nil
	}
	if strings.HasPrefix(why, namesDiffer) {
		s.warn("%s is kept, because the CA's key is not here, but its %s", p.certPath, why)
		return "", nil
	}
	return "", fmt.Errorf("cannot use %s: %s, and the CA's key %s is not here; bring a new one", p.certPath, why, ca.keyPath)
}

const namesDiffer = "SANs differ: "

func (s *Set) outdated(row Row, p pair) string {
	switch {
	case p.key == nil:
		return "its key " + p.keyPath + " is missing"
	case s.in.Now.After(p.cert.NotAfter):
		return "it expired on " + day(p.cert.NotAfter)
	case row.sans != nil:
		if missing := missingNames(p.cert, row.sans(s.in.Config)); missing != nil {
			return namesDiffer + "+" + strings.Join(missing, " +")
		}
	}
	return ""
}

// issue signs a row's certificate for a key.
func (s *Set) issue(row Row, ca pair, key crypto.PublicKey, from, until time.Time) (*x509.Certificate, error) {
	o := order{
		cn: row.cn(s.in.Config), org: row.org, usages: row.usages, key: key, signer: ca.key, signerCrt: ca.cert,
		from: from, until: until,
	}
	if row.sans != nil {
		o.names = row.sans(s.in.Config)
	}
	return sign(s.in.Rand, o)
}

func signedBy(cert *x509.Certificate, bundle []*x509.Certificate) bool {
	return slices.ContainsFunc(bundle, func(ca *x509.Certificate) bool { return cert.CheckSignatureFrom(ca) == nil })
}

// serviceAccount keeps or makes the key pair that signs service account tokens.
func (s *Set) serviceAccount(row Row) ([]File, error) {
	dir := s.in.Config.Cluster.CertificatesDir
	keyPath, publicPath := row.keyPath(dir), row.publicPath(dir)
	keyPEM, err := s.read(keyPath)
	if err != nil {
		return nil, err
	}
	publicPEM, err := s.read(publicPath)
	if err != nil {
		return nil, err
	}
	p := pair{keyPath: keyPath, keyPEM: keyPEM}
	switch {
	case keyPEM != nil:
		if p.key, err = parseKey(keyPEM); err != nil {
			return nil, unusable(keyPath, err)
		}
	case publicPEM != nil:
		return nil, fmt.Errorf("cannot use %s: its private key %s is missing; bring the key, or remove the public key to have a new pair made",
			publicPath, keyPath)
	}
	if err := s.needKey(&p); err != nil {
		return nil, err
	}
	if publicPEM == nil {
		if publicPEM, err = encodePublic(p.key.Public()); err != nil {
			return nil, err
		}
	} else if err := checkPublic(publicPEM, p.key); err != nil {
		return nil, unusable(publicPath, err)
	}
	return []File{
		{Path: keyPath, Mode: 0o600, Data: p.keyPEM, Secret: true},
		{Path: publicPath, Mode: 0o600, Data: publicPEM},
	}, nil
}
