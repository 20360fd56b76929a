package pki

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/config"
)

// seedPEM gives all files of a node's PKI to begin with, and some that are damaged.
func seedPEM(f *testing.F) {
	c := config.New()
	c.Cluster.EncryptionAlgorithm = config.EncryptionAlgorithmECDSAP256
	if err := c.SetDefaults(config.Dynamic{Hostname: "cp1", AdvertiseAddress: "10.9.0.2", CRISocket: "unix:///run/c.sock"}); err != nil {
		f.Fatal(err)
	}
	set := Plan(Input{Config: c, Read: newDisk().read, Now: now, Rand: rand.Reader})
	for _, row := range append(Certificates()[:2], Kubeconfigs()[0]) {
		files, err := set.Files(row.Name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			f.Add(file.Data)
			f.Add(file.Data[:len(file.Data)/2])
			f.Add(bytes.ReplaceAll(file.Data, []byte("\n"), []byte("\r\n")))
			f.Add(append(bytes.Clone(file.Data), file.Data...))
		}
	}
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte{0x30, 0x03, 2, 1, 0}}))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}}))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}}))
}

// Whatever is in a file, each reader of it ends with a value that can be used and written, or with an error that does not quote it.
func FuzzPEM(f *testing.F) {
	seedPEM(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if key, err := parseKey(data); err == nil {
			if text, err := encodeKey(key); err == nil {
				if back, err := parseKey(text); err != nil || !samePublic(key.Public(), back.Public()) {
					t.Errorf("a key that was read can't be read again: %v", err)
				}
			}
			_ = checkPublic(data, key)
		} else if len(data) > 20 && strings.Contains(err.Error(), string(data)) {
			t.Errorf("the error quotes the file: %v", err)
		}
		if cert, err := parseCert(data); err == nil {
			if back, err := parseCert(encodeCert(cert)); err != nil || !back.Equal(cert) {
				t.Errorf("a certificate that was read can't be read again: %v", err)
			}
			signedBy(cert, allCerts(data))
			nodeOf(cert)
			missingNames(cert, []string{"cp1", "10.9.0.2"})
		}
		hashes, err := CAHashes(data)
		if err == nil != (len(allCerts(data)) > 0) || len(hashes) != len(allCerts(data)) {
			t.Errorf("%d pins: %v", len(hashes), err)
		}
		if !bytes.Equal(publicParts(data), publicParts(data)) {
			t.Error("the fingerprint is not always the same")
		}
		_, _ = parseKubeconfig(data)
	})
}

// Whatever is in the place of each file of a node, the PKI is planned to the end: the file is kept, made again or refused by name.
func FuzzPlan(f *testing.F) {
	seedPEM(f)
	c := config.New()
	c.Cluster.EncryptionAlgorithm = config.EncryptionAlgorithmECDSAP256
	if err := c.SetDefaults(config.Dynamic{Hostname: "cp1", AdvertiseAddress: "10.9.0.2", CRISocket: "unix:///run/c.sock"}); err != nil {
		f.Fatal(err)
	}
	good := newDisk()
	set := Plan(Input{Config: c, Read: good.read, Now: now, Rand: rand.Reader})
	var paths []string
	for _, row := range append(Certificates(), Kubeconfigs()...) {
		files, err := set.Files(row.Name)
		if err != nil {
			f.Fatal(err)
		}
		good.write(files, len(files))
		for _, file := range files {
			paths = append(paths, file.Path)
		}
	}
	at := 0
	f.Fuzz(func(t *testing.T, data []byte) {
		at++ // all of them in turn: which one is no part of the input, so that one input tries them all when it is repeated
		for i := range paths {
			if i%8 != at%8 {
				continue
			}
			read := func(path string) ([]byte, error) {
				if path == paths[i] {
					return data, nil
				}
				return good.read(path)
			}
			set := Plan(Input{Config: c, Read: read, Now: now.Add(time.Hour), Rand: rand.Reader})
			for _, row := range append(Certificates(), Kubeconfigs()...) {
				files, err := set.Files(row.Name)
				if errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v", paths[i], err)
				}
				for _, file := range files {
					if strings.HasSuffix(file.Path, ".crt") {
						if block, _ := pem.Decode(file.Data); err == nil && block == nil {
							t.Errorf("%s is no PEM", file.Path)
						} else if _, err := x509.ParseCertificate(block.Bytes); err != nil && file.Path != paths[i] {
							t.Errorf("%s: %v", file.Path, err)
						}
					}
				}
			}
		}
	})
}
