package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math"
	"math/big"
	"time"
)

// backdate is how far before now certificates begin to be good, for machines whose clocks differ.
const backdate = 5 * time.Minute

// order is what a certificate should say.
type order struct {
	cn        string
	org       []string
	names     []string
	usages    []x509.ExtKeyUsage
	isCA      bool
	from      time.Time
	until     time.Time
	key       crypto.PublicKey
	signer    crypto.Signer
	signerCrt *x509.Certificate // nil: self-signed
}

// sign makes the certificate.
func sign(random io.Reader, o order) (*x509.Certificate, error) {
	serial, err := rand.Int(random, new(big.Int).SetInt64(math.MaxInt64-1))
	if err != nil {
		return nil, err
	}
	dns, ips := split(o.names)
	t := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: o.cn, Organization: o.org},
		DNSNames:     dns, IPAddresses: ips,
		NotBefore: o.from.UTC(), NotAfter: o.until.UTC(),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           o.usages,
		BasicConstraintsValid: true,
	}
	parent := o.signerCrt
	if o.isCA {
		t.IsCA = true
		t.KeyUsage |= x509.KeyUsageCertSign
	}
	if parent == nil {
		parent = t
	}
	der, err := x509.CreateCertificate(random, t, parent, o.key, o.signer)
	if err != nil {
		return nil, fmt.Errorf("cannot sign the certificate of %s: %w", o.cn, err)
	}
	return x509.ParseCertificate(der)
}
