package pki

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"
)

const pemRequest = "CERTIFICATE REQUEST"

// Requestable are the rows of certificates and of kubeconfigs that somebody else may sign for.
func (s *Set) Requestable() (certs, kubeconfigs []Row) {
	certs = slices.DeleteFunc(Certificates(), func(r Row) bool { return r.ca == "" || r.ownEtcd && s.in.Config.ExternalEtcd() })
	return certs, Kubeconfigs()
}

// Request plans the key of a row, in a file of its own or in a kubeconfig that only lacks the certificate, and a request to sign for
// it (CSR) beside it. What is there is kept: a key, a kubeconfig, and a request that asks for the same. Errors are files that can't be
// read or used.
func (s *Set) Request(row Row) ([]File, error) {
	if row.file != "" {
		return s.requestKubeconfig(row)
	}
	dir := s.in.Config.Cluster.CertificatesDir
	p := pair{keyPath: row.keyPath(dir)}
	var err error
	if p.keyPEM, err = s.read(p.keyPath); err != nil {
		return nil, err
	}
	if p.keyPEM != nil {
		if p.key, err = parseKey(p.keyPEM); err != nil {
			return nil, unusable(p.keyPath, err)
		}
	}
	if err := s.needKey(&p); err != nil {
		return nil, err
	}
	request, err := s.request(row, row.requestPath(dir), p.key)
	return []File{{Path: p.keyPath, Mode: 0o600, Data: p.keyPEM, Secret: true}, request}, err
}

func (s *Set) requestKubeconfig(row Row) ([]File, error) {
	conf := File{Path: s.kubeconfigPath(row), Mode: 0o600, Secret: true}
	var p pair
	var err error
	if conf.Data, err = s.read(conf.Path); err != nil {
		return nil, err
	}
	if conf.Data != nil {
		kc, err := parseKubeconfig(conf.Data)
		if err == nil {
			p.key, err = parseKey(kc.auth.ClientKeyData)
		}
		if err != nil {
			return nil, unusable(conf.Path, err)
		}
	} else {
		if err := s.needKey(&p); err != nil {
			return nil, err
		}
		ca, err := s.pair(s.caOf(row)) // if it is there already, it belongs into the kubeconfig
		if err != nil {
			return nil, err
		}
		if conf.Data, err = s.encodeKubeconfig(row, ca, clientcmdapi.AuthInfo{ClientKeyData: p.keyPEM}); err != nil {
			return nil, err
		}
	}
	request, err := s.request(row, conf.Path+".csr", p.key)
	return []File{conf, request}, err
}

// request keeps or makes a request.
func (s *Set) request(row Row, path string, key crypto.Signer) (File, error) {
	f := File{Path: path, Mode: 0o600}
	t := &x509.CertificateRequest{Subject: pkix.Name{CommonName: row.cn(s.in.Config), Organization: row.org}}
	if row.sans != nil {
		t.DNSNames, t.IPAddresses = split(row.sans(s.in.Config))
	}
	have, err := s.read(path)
	if err != nil {
		return f, err
	}
	if have != nil {
		if f.Why = otherRequest(have, t, key); f.Why == "" {
			f.Data = have
			return f, nil
		}
	}
	der, err := x509.CreateCertificateRequest(s.in.Rand, t, key)
	if err != nil {
		return f, fmt.Errorf("cannot make the request %s: %w", path, err)
	}
	f.Data = pem.EncodeToMemory(&pem.Block{Type: pemRequest, Bytes: der})
	return f, nil
}

// otherRequest says why a request that is there will not do; empty when it will.
func otherRequest(have []byte, want *x509.CertificateRequest, key crypto.Signer) string {
	r, err := parseRequest(have)
	switch {
	case err != nil:
		return "it is damaged"
	case !samePublic(r.PublicKey, key.Public()):
		return "it is for another key"
	case r.Subject.String() != want.Subject.String():
		return fmt.Sprintf("it is for %s, should be for %s", r.Subject, want.Subject)
	case !slices.Equal(r.DNSNames, want.DNSNames) || fmt.Sprint(r.IPAddresses) != fmt.Sprint(want.IPAddresses):
		return "it is for other names"
	}
	return ""
}

func parseRequest(data []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != pemRequest {
		return nil, errors.New("there is no whole certificate request in it")
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	return r, r.CheckSignature()
}
