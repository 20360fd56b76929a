package discovery

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"
)

// Pinned says whether one of the certificates in ca (PEM) has one of the pins: "sha256:" and the hash of its public key
// (RFC 7469, SubjectPublicKeyInfo) in hexadecimal digits, small or capital.
func Pinned(ca []byte, pins []string) bool { return len(pinned(ca, pins)) > 0 }

// SameCA says whether two bundles of CA certificates (PEM) have one in common, as they do while a CA is being replaced.
func SameCA(a, b []byte) bool {
	have := certificates(b)
	return slices.ContainsFunc(certificates(a), func(cert *x509.Certificate) bool { return slices.ContainsFunc(have, cert.Equal) })
}

// pinned are those certificates that have one of the pins.
func pinned(ca []byte, pins []string) []*x509.Certificate {
	return slices.DeleteFunc(certificates(ca), func(cert *x509.Certificate) bool {
		sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		have := "sha256:" + hex.EncodeToString(sum[:])
		return !slices.ContainsFunc(pins, func(pin string) bool { return strings.EqualFold(pin, have) })
	})
}

// certificates are those in PEM data; other things in it do not count.
func certificates(data []byte) []*x509.Certificate {
	var list []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			list = append(list, cert)
		}
	}
	return list
}
