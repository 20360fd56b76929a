package pki

import (
	"cmp"
	"crypto/x509"
	"slices"
	"time"
)

// Expiration is until when a certificate is good.
type Expiration struct {
	// Name is that of the row, or of the kubeconfig's file, and CA the name of the row that signs it; empty for a CA.
	Name, CA string
	NotAfter time.Time
	// External says that the key of the CA is not here.
	External bool
	// Missing says that there is no such file. Then only Name is set.
	Missing bool
}

// Expirations lists what can be renewed and the CAs, each by name, without those of an etcd that somebody else runs. A kubeconfig in
// which there is no certificate is left out, with a warning. Errors are files that can't be read or parsed.
func (s *Set) Expirations() (certs, cas []Expiration, err error) {
	for _, row := range s.Renewable() {
		e := Expiration{Name: row.RenewalName(), CA: row.ca, External: s.external(s.caOf(row))}
		cert, err := s.certificateOf(row)
		switch {
		case err != nil:
			return nil, nil, err
		case cert != nil:
			e.NotAfter = cert.NotAfter
		case s.have(s.renewed(row)):
			s.warn("%s is left out: no certificate is in it", s.renewed(row))
			continue
		default:
			e = Expiration{Name: e.Name, Missing: true}
		}
		certs = append(certs, e)
	}
	for _, row := range Certificates() {
		if row.ca != "" || row.Name == saRow || row.ownEtcd && s.in.Config.ExternalEtcd() {
			continue
		}
		cert, err := s.certificateOf(row)
		if err != nil {
			return nil, nil, err
		}
		e := Expiration{Name: row.Name, Missing: cert == nil}
		if cert != nil {
			e.NotAfter, e.External = cert.NotAfter, s.external(row)
		}
		cas = append(cas, e)
	}
	slices.SortFunc(cas, func(a, b Expiration) int { return cmp.Compare(a.Name, b.Name) })
	return certs, cas, nil
}

// certificateOf is the certificate of a row, nil where there is none.
func (s *Set) certificateOf(row Row) (*x509.Certificate, error) {
	path := s.renewed(row)
	data, err := s.read(path)
	if err != nil || data == nil {
		return nil, err
	}
	if row.file != "" {
		kc, err := parseKubeconfig(data)
		if err != nil {
			return nil, unusable(path, err)
		}
		data = kc.auth.ClientCertificateData
		if file := kc.auth.ClientCertificate; len(data) == 0 && file != "" {
			data = s.Data(file)
		}
		if len(data) == 0 {
			return nil, nil
		}
	}
	cert, err := parseCert(data)
	if err != nil {
		return nil, unusable(path, err)
	}
	return cert, nil
}
