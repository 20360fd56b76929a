package bed

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testPair makes a key and a certificate of it.
func testPair(t *testing.T) (keyPEM, certPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
}

func TestStateDamage(t *testing.T) {
	key, cert := testPair(t)
	otherKey, _ := testPair(t)
	const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"
	for _, test := range []struct {
		name, path string
		mode       fs.FileMode
		data       string
		want       string // "" for none
	}{
		{"key", "/etc/kubernetes/pki/ca.key", 0o600, string(key), ""},
		{"empty key", "/etc/kubernetes/pki/ca.key", 0o600, "", "it is empty"},
		{"key of zeroes", "/etc/kubernetes/pki/ca.key", 0o600, strings.Repeat("\x00", 200), "it is empty"},
		{"torn key", "/etc/kubernetes/pki/ca.key", 0o600, string(key[:len(key)/2]), "it is torn"},
		{"open key", "/etc/kubernetes/pki/ca.key", 0o644, string(key), "its mode is 0644"},
		{"key of another", "/etc/kubernetes/pki/pair.key", 0o600, string(otherKey), "another key"},
		{"two certificates", "/etc/kubernetes/pki/b.crt", 0o644, string(cert) + string(cert), ""},
		{"certificate with a torn tail", "/etc/kubernetes/pki/b.crt", 0o644, string(cert) + string(cert[:100]), "it is torn"},
		{"kubeconfig", "/etc/kubernetes/admin.conf", 0o600, "apiVersion: v1\nkind: Config\n", ""},
		{"open kubeconfig", "/etc/kubernetes/admin.conf", 0o644, "apiVersion: v1\nkind: Config\nclient-key-data: x\n", "its mode is 0644"},
		{"torn kubeconfig", "/etc/kubernetes/admin.conf", 0o600, "apiVersion: v1\nkind: Config\nclus", "it is torn"},
		{"manifest", "/etc/kubernetes/manifests/a.yaml", 0o600, pod, ""},
		{"torn manifest", "/etc/kubernetes/manifests/a.yaml", 0o600, pod[:30], "it is torn"},
		{"instance", "/var/lib/kubelet/instance-config.yaml", 0o644, "containerRuntimeEndpoint: \"unix:///run/c.sock\"\n", ""},
		{"torn instance", "/var/lib/kubelet/instance-config.yaml", 0o644, "containerRuntimeEndpoint: \"unix", "it is torn"},
		{"flags", "/var/lib/kubelet/kubeadm-flags.env", 0o644, "KUBELET_KUBEADM_ARGS=\"--a=b\"\n", ""},
		{"torn flags", "/var/lib/kubelet/kubeadm-flags.env", 0o644, "KUBELET_KUBEADM_ARGS=\"--a=", "it is torn"},
		{"unit", "/etc/systemd/system/kubelet.service", 0o644, "[Service]\nExecStart=/x\n", ""},
		{"torn unit", "/etc/systemd/system/kubelet.service", 0o644, "[Service]\nExecSt", "it is torn"},
		{"journal with a line cut off", "/var/lib/kubewright/runs/1-init/journal.jsonl", 0o600, "{}\n{\"n\":", ""},
		{"journal with a torn line", "/var/lib/kubewright/runs/1-init/journal.jsonl", 0o600, "{}\n{\"n\":\n{}\n", "line 2 is torn"},
		{"open old content", "/var/lib/kubewright/runs/1-init/0001.before", 0o640, "x", "its mode is 0640"},
		{"half written", "/etc/kubernetes/pki/.ca.key.0123456789abcdef.tmp", 0o600, "", ""},
		{"half written and open", "/etc/kubernetes/pki/.ca.key.0123456789abcdef.tmp", 0o644, string(key[:50]), "its mode is 0644"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree := stateTree{
				test.path:                        {mode: test.mode, data: []byte(test.data)},
				"/etc/kubernetes/pki/pair.crt":   {mode: 0o644, data: cert},
				"/etc/kubernetes/pki":            {mode: fs.ModeDir | 0o755},
				"/etc/kubernetes/pki/linked.pem": {mode: fs.ModeSymlink | 0o777, link: "pair.pem"},
			}
			got := tree.damage()
			if test.want == "" && got != nil {
				t.Errorf("damage: %q, want none", got)
			}
			if test.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], test.path+": ") || !strings.Contains(got[0], test.want)) {
				t.Errorf("damage: %q, want %q of %s", got, test.want, test.path)
			}
		})
	}
}

func TestStateChanges(t *testing.T) {
	file := func(text string) stateFile { return stateFile{mode: 0o600, data: []byte(text)} }
	before := stateTree{"/a": file("1"), "/b": file("1"), "/c": file("1"), "/d": {mode: 0o600, link: "a"},
		"/.x.0123456789abcdef.tmp": file(""), "/var/lib/kubelet/pki/kubelet.key": file("1")}
	now := stateTree{"/a": file("1"), "/b": file("2"), "/d": {mode: 0o600, link: "b"}, "/new": file("1"),
		"/var/lib/kubelet/pki/kubelet.key": file("2")}
	want := []string{"/b: it is another one now", "/c: it was there, and is gone", "/d: it is another one now"}
	if diff := cmp.Diff(want, now.changedSince(before)); diff != "" {
		t.Error(diff)
	}
}

func TestReadState(t *testing.T) {
	var archive bytes.Buffer
	if got, err := readState(&archive); err != nil || len(got) != 0 || got.summary() != "nothing" {
		t.Errorf("nothing: %v, %v", got, err)
	}
	w := tar.NewWriter(&archive)
	for _, h := range []*tar.Header{
		{Name: "etc/kubernetes/manifests/", Typeflag: tar.TypeDir, Mode: 0o700},
		{Name: "etc/kubernetes/manifests/etcd.yaml", Typeflag: tar.TypeReg, Mode: 0o600, Size: 2},
		{Name: "etc/kubernetes/pki/.ca.key.0123456789abcdef.tmp", Typeflag: tar.TypeReg, Mode: 0o600},
		{Name: "etc/systemd/system/multi-user.target.wants/kubelet.service", Typeflag: tar.TypeSymlink, Linkname: "../kubelet.service"},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			w.Write([]byte("hi")) //nolint:errcheck // seen below
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole := archive.String()
	got, err := readState(strings.NewReader(whole))
	if err != nil || string(got["/etc/kubernetes/manifests/etcd.yaml"].data) != "hi" || !got["/etc/kubernetes/manifests"].mode.IsDir() {
		t.Errorf("%v, %v", got, err)
	}
	if text := got.summary(); text != "1 manifests, 1 enabled, 1 half written" {
		t.Errorf("summary: %s", text)
	}
	if diff := cmp.Diff([]string{"/etc/kubernetes/pki/.ca.key.0123456789abcdef.tmp"}, got.leftovers()); diff != "" {
		t.Error(diff)
	}
	if _, err := readState(strings.NewReader(whole[:700])); err == nil {
		t.Error("an archive that was cut off is read")
	}
}
