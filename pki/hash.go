package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

// CAHashes are the pins of the cluster's CA for discovery: "sha256:" and the hash of each certificate's public key
// (SubjectPublicKeyInfo), in hexadecimal digits.
func CAHashes(caPEM []byte) ([]string, error) {
	certs := allCerts(caPEM)
	if len(certs) == 0 {
		return nil, errors.New("cannot pin the CA of the cluster: its certificate is missing")
	}
	hashes := make([]string, len(certs))
	for i, cert := range certs {
		sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		hashes[i] = "sha256:" + hex.EncodeToString(sum[:])
	}
	return hashes, nil
}

// Hash is a fingerprint of the public parts of files as they will be: it changes when a certificate or key does, and gives
// nothing away. Files that are missing count as such.
func (s *Set) Hash(paths ...string) string {
	paths = slices.Clone(paths)
	slices.Sort(paths)
	sum := sha256.New()
	for _, name := range slices.Compact(paths) {
		fmt.Fprintf(sum, "%s=%x\n", name, publicParts(s.Data(name)))
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// publicParts hashes a file's certificates and public keys; of private keys only the public half, of kubeconfigs the server,
// the CA and the client certificate.
func publicParts(data []byte) []byte {
	if data == nil {
		return []byte("missing")
	}
	sum := sha256.New()
	found := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		found = true
		sum.Write(publicPart(block))
	}
	if found {
		return sum.Sum(nil)
	}
	kc, err := parseKubeconfig(data)
	if err != nil {
		return []byte("unknown")
	}
	fmt.Fprintf(sum, "%s\n%s\n%s\n%s", kc.cluster.Server, kc.cluster.CertificateAuthorityData, kc.auth.ClientCertificate,
		kc.auth.ClientCertificateData)
	return sum.Sum(nil)
}

func publicPart(block *pem.Block) []byte {
	if block.Type == pemCertificate || block.Type == pemPublicKey {
		return block.Bytes
	}
	key, err := parseKey(pem.EncodeToMemory(block))
	if err != nil {
		return []byte("unknown")
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return []byte("unknown")
	}
	return public
}
