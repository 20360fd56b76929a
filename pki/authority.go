package pki

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
)

// pair is a key and its certificate as they are on the machine. Each may be missing.
type pair struct {
	certPath, keyPath string
	certPEM, keyPEM   []byte
	cert              *x509.Certificate
	key               crypto.Signer
	// newKey says that the key was made by this run.
	newKey bool
}

func (s *Set) pair(row Row) (pair, error) {
	dir := s.in.Config.Cluster.CertificatesDir
	p := pair{certPath: row.certPath(dir), keyPath: row.keyPath(dir)}
	var err error
	if p.certPEM, err = s.read(p.certPath); err != nil {
		return p, err
	}
	if p.keyPEM, err = s.read(p.keyPath); err != nil {
		return p, err
	}
	if p.certPEM != nil {
		if p.cert, err = parseCert(p.certPEM); err != nil {
			return p, unusable(p.certPath, err)
		}
	}
	if p.keyPEM != nil {
		if p.key, err = parseKey(p.keyPEM); err != nil {
			return p, unusable(p.keyPath, err)
		}
	}
	if p.cert != nil && p.key != nil && !samePublic(p.cert.PublicKey, p.key.Public()) {
		hint := "bring the two files that belong together"
		if row.ca != "" { // as a renewal leaves them that was stopped between the two
			hint += ", or make both anew: kubewright certs renew " + row.RenewalName()
		}
		return p, fmt.Errorf("cannot use %s: it is not the key of %s; %s", p.keyPath, p.certPath, hint)
	}
	return p, nil
}

// files are the pair's files, the key first: a key alone is completed by the next run, a certificate alone means that
// its key is kept elsewhere. Only a new key that replaces a lost one follows its certificate: beside the old certificate it
// would look like somebody else's, while the new certificate without it is where this run began.
func (p pair) files(why string) []File {
	cert := File{Path: p.certPath, Mode: 0o644, Data: p.certPEM, Why: why}
	if p.keyPEM == nil {
		return []File{cert}
	}
	key := File{Path: p.keyPath, Mode: 0o600, Data: p.keyPEM, Secret: true}
	if p.newKey && p.cert != nil {
		return []File{cert, key}
	}
	return []File{key, cert}
}

// needKey makes the key unless there is one.
func (s *Set) needKey(p *pair) (err error) {
	if p.key != nil {
		return nil
	}
	if p.key, err = newKey(s.in.Rand, s.in.Config.Cluster.EncryptionAlgorithm); err != nil {
		return err
	}
	p.newKey = true
	p.keyPEM, err = encodeKey(p.key)
	return err
}

// authority keeps or makes a CA.
func (s *Set) authority(row Row) ([]File, error) {
	p, err := s.pair(row)
	if err != nil {
		return nil, err
	}
	if p.cert != nil {
		if err := s.checkAuthority(p); err != nil {
			return nil, err
		}
		if p.key == nil {
			err = s.checkSigned(row, p)
		}
		return p.files(""), err
	}
	if err := s.needKey(&p); err != nil {
		return nil, err
	}
	cn := row.cn(s.in.Config)
	cert, err := sign(s.in.Rand, order{
		cn: cn, names: []string{cn}, isCA: true, from: s.in.Now.Add(-backdate),
		until: s.in.Now.Add(s.in.Config.Cluster.CACertificateValidityPeriod.Duration), key: p.key.Public(), signer: p.key,
	})
	if err != nil {
		return nil, err
	}
	p.certPEM = encodeCert(cert)
	return p.files(""), nil
}

func (s *Set) checkAuthority(p pair) error {
	switch {
	case !p.cert.IsCA:
		return fmt.Errorf("cannot use %s: it is no CA (basic constraints); bring a CA certificate", p.certPath)
	case s.in.Now.After(p.cert.NotAfter):
		return fmt.Errorf("cannot use %s: the CA expired on %s; bring a new one, or remove it with all certificates that it signed "+
			"to have them made again", p.certPath, day(p.cert.NotAfter))
	case s.in.Now.Before(p.cert.NotBefore):
		return fmt.Errorf("cannot use %s: the CA is not valid before %s; is this machine's clock right?", p.certPath,
			p.cert.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// checkSigned lists, where the CA's key is not here, all that it should have signed and that is missing: in one error, so
// that they can be ordered together.
func (s *Set) checkSigned(ca Row, p pair) error {
	var missing []string
	for _, row := range Certificates() {
		if row.ca != ca.Name || row.ownEtcd && s.in.Config.ExternalEtcd() {
			continue
		}
		dir := s.in.Config.Cluster.CertificatesDir
		for _, path := range []string{row.certPath(dir), row.keyPath(dir)} {
			if !s.have(path) {
				missing = append(missing, path)
			}
		}
	}
	for _, row := range Kubeconfigs() {
		if s.in.Joining && (row.Name == "super-admin" || row.Name == "kubelet") {
			continue
		}
		if path := s.kubeconfigPath(row); row.ca == ca.Name && !s.have(path) {
			missing = append(missing, path)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("cannot sign certificates: %s is here without its key %s (an external CA), so these files must be brought:\n  %s",
		p.certPath, p.keyPath, strings.Join(missing, "\n  "))
}

// signer loads the CA of a row, as it is or will be.
func (s *Set) signer(row Row) (pair, []*x509.Certificate, error) {
	for _, ca := range Certificates() {
		if ca.Name != row.ca {
			continue
		}
		p, err := s.pair(ca)
		if err != nil {
			return p, nil, err
		}
		if p.cert == nil {
			return p, nil, fmt.Errorf("cannot sign the certificate of %s: the CA %s is not there; run phase certs/%s first, or bring it",
				row.Name, p.certPath, ca.Name)
		}
		return p, allCerts(p.certPEM), s.checkAuthority(p)
	}
	return pair{}, nil, fmt.Errorf("cannot sign the certificate of %s: no CA %q", row.Name, row.ca)
}

// allCerts are the certificates of a bundle; while a CA is replaced, the old and the new one are both good.
func allCerts(data []byte) []*x509.Certificate {
	var list []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == pemCertificate {
			if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
				list = append(list, cert)
			}
		}
	}
	return list
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// MissingShared lists the files that all control-plane nodes share and that are not here: a node that joins can't make them.
// The keys of the CAs may be missing, because somebody else may sign.
func (s *Set) MissingShared() []string {
	dir := s.in.Config.Cluster.CertificatesDir
	var missing []string
	for _, row := range Certificates() {
		switch {
		case row.ca != "" || row.ownEtcd && s.in.Config.ExternalEtcd():
			continue
		case row.Name == saRow && !s.have(row.keyPath(dir)):
			missing = append(missing, row.keyPath(dir))
		case row.Name != saRow && !s.have(row.certPath(dir)):
			missing = append(missing, row.certPath(dir))
		}
	}
	return missing
}

// MissingToUpload lists the files that all control-plane nodes share and that are not here, keys of CAs included: nodes that
// get them from the cluster get them all.
func (s *Set) MissingToUpload() []string {
	var missing []string
	for _, row := range Certificates() {
		if row.ca != "" {
			continue
		}
		for _, path := range s.Paths(row.Name) {
			if !s.have(path) {
				missing = append(missing, path)
			}
		}
	}
	return missing
}
