package pki

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/config"
)

// ecdsaConfig is a configuration whose keys are made fast.
func ecdsaConfig(f *testing.F) *config.Config {
	c := config.New()
	c.Cluster.EncryptionAlgorithm = config.EncryptionAlgorithmECDSAP256
	if err := c.SetDefaults(config.Dynamic{Hostname: "cp1", AdvertiseAddress: "10.9.0.2", CRISocket: "unix:///run/c.sock"}); err != nil {
		f.Fatal(err)
	}
	return c
}

// seedPEM gives files of a node's PKI to begin with, and some that are damaged.
func seedPEM(f *testing.F, add func(data []byte)) {
	set := Plan(Input{Config: ecdsaConfig(f), Read: newDisk().read, Now: now, Rand: rand.Reader})
	for _, row := range append(Certificates()[:2], Kubeconfigs()[0]) {
		files, err := set.Files(row.Name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			add(file.Data)
			add(file.Data[:len(file.Data)/2])
			add(bytes.ReplaceAll(file.Data, []byte("\n"), []byte("\r\n")))
			add(append(bytes.Clone(file.Data), file.Data...))
		}
	}
	add(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte{0x30, 0x03, 2, 1, 0}}))
	add(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}}))
	add(pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}}))
}

// Whatever is in a file, each reader of it ends with a value that can be used and written, or with an error that does not quote it.
func FuzzPEM(f *testing.F) {
	seedPEM(f, func(data []byte) { f.Add(data) })
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
	c := ecdsaConfig(f)
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
	seedPEM(f, func(data []byte) {
		for i := 0; i < len(paths); i += 5 {
			f.Add(data, uint8(i))
		}
	})
	f.Fuzz(func(t *testing.T, data []byte, which uint8) {
		damaged := paths[int(which)%len(paths)]
		read := func(path string) ([]byte, error) {
			if path == damaged {
				return data, nil
			}
			return good.read(path)
		}
		set := Plan(Input{Config: c, Read: read, Now: now.Add(time.Hour), Rand: rand.Reader})
		for _, row := range append(Certificates(), Kubeconfigs()...) {
			files, err := set.Files(row.Name)
			if err != nil {
				continue
			}
			for _, file := range files {
				if cert := strings.HasSuffix(file.Path, ".crt"); cert && len(allCerts(file.Data)) == 0 {
					t.Errorf("with another %s, %s holds no certificate", damaged, file.Path)
				}
			}
		}
	})
}
