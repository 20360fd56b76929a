package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"

	"github.com/kubewright/kubewright/config"
)

const (
	pemCertificate = "CERTIFICATE"
	pemPublicKey   = "PUBLIC KEY"
)

// newKey makes a key of the configured type.
func newKey(rand io.Reader, algorithm config.EncryptionAlgorithmType) (crypto.Signer, error) {
	switch algorithm {
	case config.EncryptionAlgorithmECDSAP256, "":
		return ecdsa.GenerateKey(elliptic.P256(), rand)
	case config.EncryptionAlgorithmECDSAP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand)
	case config.EncryptionAlgorithmRSA2048:
		return rsa.GenerateKey(rand, 2048)
	case config.EncryptionAlgorithmRSA3072:
		return rsa.GenerateKey(rand, 3072)
	case config.EncryptionAlgorithmRSA4096:
		return rsa.GenerateKey(rand, 4096)
	}
	return nil, fmt.Errorf("cannot make a key of type %q (encryptionAlgorithm)", algorithm)
}

// algorithmOf is the kind of a key, or otherwise where it is none that newKey makes.
func algorithmOf(key crypto.PublicKey, otherwise config.EncryptionAlgorithmType) config.EncryptionAlgorithmType {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return config.EncryptionAlgorithmECDSAP256
		case elliptic.P384():
			return config.EncryptionAlgorithmECDSAP384
		}
	case *rsa.PublicKey:
		switch k.N.BitLen() {
		case 2048:
			return config.EncryptionAlgorithmRSA2048
		case 3072:
			return config.EncryptionAlgorithmRSA3072
		case 4096:
			return config.EncryptionAlgorithmRSA4096
		}
	}
	return otherwise
}

// encodeKey writes a key as kubeadm does: PKCS#1 for RSA, SEC 1 for ECDSA.
func encodeKey(key crypto.Signer) ([]byte, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}), nil
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
	}
	return nil, fmt.Errorf("cannot encode a key of type %T", key)
}

// parseKey reads the first private key of a file. Its errors never quote the file.
func parseKey(data []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "RSA PRIVATE KEY":
			return x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			return x509.ParseECPrivateKey(block.Bytes)
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			if signer, ok := key.(crypto.Signer); ok {
				return signer, nil
			}
			return nil, errors.New("the key can't sign")
		}
	}
	return nil, errors.New("there is no whole private key in it")
}

// parseCert reads the first certificate of a file.
func parseCert(data []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == pemCertificate {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, errors.New("there is no whole certificate in it")
}

func encodeCert(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: cert.Raw})
}

func encodePublic(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPublicKey, Bytes: der}), nil
}

// samePublic says whether two public keys are the same key.
func samePublic(a, b crypto.PublicKey) bool {
	x, errX := x509.MarshalPKIXPublicKey(a)
	y, errY := x509.MarshalPKIXPublicKey(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// checkPublic says why a public key's file does not belong to the private key. It may hold several keys, for a rotation.
func checkPublic(data []byte, key crypto.Signer) error {
	found := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return err
		}
		if samePublic(public, key.Public()) {
			return nil
		}
		found = true
	}
	if !found {
		return errors.New("there is no whole public key in it")
	}
	return errors.New("it does not belong to the private key beside it")
}
