package manifests

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
)

// certificateKeySize is the length of the key in bytes: AES-256.
const certificateKeySize = 32

func newGCM(key []byte) (cipher.AEAD, error) {
	if len(key) != certificateKeySize {
		return nil, fmt.Errorf("the certificate key has %d bytes, not %d", len(key), certificateKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// encrypt gives a random nonce followed by the text under AES-GCM, the form in which kubeadm reads it.
func encrypt(text, key []byte, rand io.Reader) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return nil, err
	}
	return gcm.Seal(nonce, nonce, text, nil), nil
}

// decrypt undoes encrypt; a wrong key is an error.
func decrypt(data, key []byte) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	n := gcm.NonceSize()
	if len(data) < n {
		return nil, errors.New("there is no nonce")
	}
	return gcm.Open(nil, data[:n], data[n:], nil)
}
