package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/config"
)

const pkiDir = "/etc/kubernetes/pki/"

func TestFreshPKI(t *testing.T) {
	d, _ := made(t, plain)
	ca := parsed(t, d, pkiDir+"ca.crt")
	etcdCA := parsed(t, d, pkiDir+"etcd/ca.crt")
	frontCA := parsed(t, d, pkiDir+"front-proxy-ca.crt")
	for _, tc := range []struct {
		file, subject string
		signer        *x509.Certificate
		usages        []x509.ExtKeyUsage
		dns, ips      string
	}{
		{"ca", "CN=kubernetes", ca, nil, "kubernetes", ""},
		{"apiserver", "CN=kube-apiserver", ca, server,
			"cluster.example cp1 kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local",
			"10.96.0.1 10.9.0.2"},
		{"apiserver-kubelet-client", "CN=kube-apiserver-kubelet-client", ca, client, "", ""},
		{"front-proxy-ca", "CN=front-proxy-ca", frontCA, nil, "front-proxy-ca", ""},
		{"front-proxy-client", "CN=front-proxy-client", frontCA, client, "", ""},
		{"etcd/ca", "CN=etcd-ca", etcdCA, nil, "etcd-ca", ""},
		{"etcd/server", "CN=cp1", etcdCA, both, "cp1 localhost", "10.9.0.2 127.0.0.1 ::1"},
		{"etcd/peer", "CN=cp1", etcdCA, both, "cp1 localhost", "10.9.0.2 127.0.0.1 ::1"},
		{"etcd/healthcheck-client", "CN=kube-etcd-healthcheck-client", etcdCA, client, "", ""},
		{"apiserver-etcd-client", "CN=kube-apiserver-etcd-client", etcdCA, client, "", ""},
	} {
		cert := parsed(t, d, pkiDir+tc.file+".crt")
		if got := cert.Subject.String(); got != tc.subject {
			t.Errorf("%s: subject %q, want %q", tc.file, got, tc.subject)
		}
		if err := cert.CheckSignatureFrom(tc.signer); err != nil {
			t.Errorf("%s: %v", tc.file, err)
		}
		if diff := cmp.Diff(tc.usages, cert.ExtKeyUsage); diff != "" {
			t.Errorf("%s: usages %s", tc.file, diff)
		}
		if got := strings.Join(cert.DNSNames, " "); got != tc.dns {
			t.Errorf("%s: DNS names %q, want %q", tc.file, got, tc.dns)
		}
		if got := strings.Trim(fmt.Sprint(cert.IPAddresses), "[]"); got != tc.ips {
			t.Errorf("%s: addresses %q, want %q", tc.file, got, tc.ips)
		}
		if !cert.NotBefore.Equal(now.Add(-5 * time.Minute)) {
			t.Errorf("%s: valid from %s", tc.file, cert.NotBefore)
		}
		years := 1
		if cert.IsCA {
			years = 10
		}
		if want := now.Add(time.Duration(years) * 8760 * time.Hour); !cert.NotAfter.Equal(want) {
			t.Errorf("%s: valid until %s, want %s", tc.file, cert.NotAfter, want)
		}
	}
}

func TestKubeconfigs(t *testing.T) {
	d, _ := made(t, plain)
	ca := parsed(t, d, pkiDir+"ca.crt")
	for _, tc := range []struct{ file, subject, server string }{
		{"admin", "CN=kubernetes-admin,O=kubeadm:cluster-admins", "https://cluster.example:7443"},
		{"super-admin", "CN=kubernetes-super-admin,O=system:masters", "https://cluster.example:7443"},
		{"kubelet", "CN=system:node:cp1,O=system:nodes", "https://10.9.0.2:6443"},
		{"controller-manager", "CN=system:kube-controller-manager", "https://10.9.0.2:6443"},
		{"scheduler", "CN=system:kube-scheduler", "https://10.9.0.2:6443"},
	} {
		kc, err := parseKubeconfig(d.files["/etc/kubernetes/"+tc.file+".conf"])
		if err != nil {
			t.Fatalf("%s: %v", tc.file, err)
		}
		if kc.cluster.Server != tc.server || !bytes.Equal(kc.cluster.CertificateAuthorityData, d.files[pkiDir+"ca.crt"]) {
			t.Errorf("%s: server %s, want %s and the cluster's CA", tc.file, kc.cluster.Server, tc.server)
		}
		pem := kc.auth.ClientCertificateData
		if tc.file == "kubelet" {
			if pem, err = d.read(kc.auth.ClientCertificate); err != nil || kc.auth.ClientKey != kc.auth.ClientCertificate {
				t.Fatalf("kubelet.conf refers to %q and %q: %v", kc.auth.ClientCertificate, kc.auth.ClientKey, err)
			}
		}
		cert, err := parseCert(pem)
		if err != nil {
			t.Fatalf("%s: %v", tc.file, err)
		}
		if got := cert.Subject.String(); got != tc.subject {
			t.Errorf("%s: subject %q, want %q", tc.file, got, tc.subject)
		}
		if cert.CheckSignatureFrom(ca) != nil || !cert.NotBefore.Equal(ca.NotBefore) {
			t.Errorf("%s: not signed by the CA, or not from the CA's beginning (%s)", tc.file, cert.NotBefore)
		}
	}
}

func TestSecondRunKeepsEveryByte(t *testing.T) {
	d, c := made(t, plain)
	before := maps.Clone(d.files)
	s := d.set(t, c, now.Add(time.Hour))
	files := all(t, s)
	for _, f := range files {
		if f.Why != "" {
			t.Errorf("%s is changed: %s", f.Path, f.Why)
		}
	}
	d.write(files, len(files))
	if diff := cmp.Diff(before, d.files); diff != "" {
		t.Error(diff)
	}
	if w := s.Warnings(); w != nil {
		t.Errorf("warnings: %v", w)
	}
}

// TestAnyPrefixCanGoOn stops after each file, as a crash does, and runs again: from nothing, and from a whole PKI that lost
// files. What was written before the crash stays, but for a certificate whose key is lost: it is made again with the next key.
func TestAnyPrefixCanGoOn(t *testing.T) {
	whole, c := made(t, plain)
	for _, tc := range []struct {
		name string
		from *disk
		lost []string
	}{
		{"nothing there", newDisk(), nil},
		{"a leaf's key lost", whole, []string{pkiDir + "apiserver.key"}},
		{"the keys of several CAs' leaves lost", whole, []string{
			pkiDir + "apiserver.key", pkiDir + "etcd/server.key", pkiDir + "etcd/peer.key", pkiDir + "front-proxy-client.key",
		}},
		{"a leaf lost", whole, []string{pkiDir + "apiserver.crt", pkiDir + "apiserver.key", pkiDir + "etcd/peer.crt"}},
		{"the kubelet's certificate lost", whole, []string{currentPEM}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			begin := func() *disk {
				d := &disk{files: maps.Clone(tc.from.files), links: maps.Clone(tc.from.links)}
				remove(tc.lost...)(d)
				return d
			}
			files := all(t, begin().set(t, c, now))
			for n := range files {
				d := begin()
				d.write(files, n)
				again := all(t, d.set(t, c, now.Add(time.Minute)))
				d.write(again, len(again))
				for i, f := range files[:n] {
					if lostKey := f.Why != "" && i == n-1; f.Link == "" && !lostKey && !bytes.Equal(d.files[f.Path], f.Data) {
						t.Errorf("after %d files, file %d (%s) was made again", n, i, f.Path)
					}
				}
				third := all(t, d.set(t, c, now.Add(time.Hour)))
				if slices.ContainsFunc(third, func(f File) bool { return f.Why != "" }) {
					t.Errorf("after %d files the second run was not the last to change something", n)
				}
			}
		})
	}
}

func TestModesAndSecrets(t *testing.T) {
	for _, f := range all(t, newDisk().set(t, loadConfig(t, plain), now)) {
		private := bytes.Contains(f.Data, []byte("PRIVATE KEY")) || bytes.Contains(f.Data, []byte("client-key-data"))
		if private != (f.Secret && !strings.HasSuffix(f.Path, "kubelet.conf")) {
			t.Errorf("%s: private key inside: %t, secret: %t", f.Path, private, f.Secret)
		}
		want := 0o644
		if f.Secret || strings.HasSuffix(f.Path, "sa.pub") {
			want = 0o600
		}
		if f.Link == "" && int(f.Mode) != want {
			t.Errorf("%s: mode %o, want %o", f.Path, f.Mode, want)
		}
	}
}

func TestAlgorithms(t *testing.T) {
	for _, tc := range []struct {
		name config.EncryptionAlgorithmType
		bits int
	}{{"ECDSA-P256", 256}, {"ECDSA-P384", 384}, {"RSA-2048", 2048}, {"RSA-3072", 3072}} {
		d, c := newDisk(), loadConfig(t, plain+"encryptionAlgorithm: "+string(tc.name)+"\n")
		files, err := d.set(t, c, now).Files("ca")
		if err != nil {
			t.Fatal(err)
		}
		cert, err := parseCert(files[1].Data)
		if err != nil {
			t.Fatal(err)
		}
		bits := 0
		switch k := cert.PublicKey.(type) {
		case *rsa.PublicKey:
			bits = k.N.BitLen()
		case *ecdsa.PublicKey:
			bits = k.Params().BitSize
		}
		if bits != tc.bits {
			t.Errorf("%s: %d bits", tc.name, bits)
		}
	}
}

func TestExternalEtcdHasNoEtcdFiles(t *testing.T) {
	d, _ := made(t, ownEtcdOff)
	for path := range d.files {
		if strings.Contains(path, "etcd") {
			t.Errorf("%s was made", path)
		}
	}
}

func TestHash(t *testing.T) {
	d, c := made(t, plain)
	paths := []string{pkiDir + "apiserver.crt", pkiDir + "sa.key", "/etc/kubernetes/scheduler.conf", "/nowhere"}
	first := d.set(t, c, now).Hash(paths...)
	slices.Reverse(paths)
	if again := d.set(t, c, now).Hash(paths...); again != first {
		t.Error("the order of paths changes the hash")
	}
	for _, path := range paths[1:] {
		kept := d.files[path]
		delete(d.files, path)
		if d.set(t, c, now).Hash(paths...) == first {
			t.Errorf("%s does not count", path)
		}
		d.files[path] = kept
	}
}

func TestCAHash(t *testing.T) {
	d, c := made(t, plain)
	hashes, err := CAHashes(d.set(t, c, now).Data("/etc/kubernetes/pki/ca.crt"))
	if err != nil || len(hashes) != 1 || len(hashes[0]) != len("sha256:")+64 {
		t.Errorf("hashes %v, %v", hashes, err)
	}
	if _, err := CAHashes(nil); err == nil {
		t.Error("a CA that is not there has a hash")
	}
}

func parsed(t *testing.T, d *disk, path string) *x509.Certificate {
	t.Helper()
	cert, err := parseCert(d.files[path])
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return cert
}

func TestMissingShared(t *testing.T) {
	d, c := made(t, plain)
	if got := d.set(t, c, now).MissingShared(); got != nil {
		t.Errorf("of a whole PKI %v are missing", got)
	}
	remove(pkiDir+"ca.key", pkiDir+"apiserver.crt", pkiDir+"sa.key", pkiDir+"etcd/ca.crt")(d)
	if diff := cmp.Diff([]string{pkiDir + "etcd/ca.crt", pkiDir + "sa.key"}, d.set(t, c, now).MissingShared()); diff != "" {
		t.Error(diff)
	}
}

func TestMissingToUpload(t *testing.T) {
	d, c := made(t, plain)
	remove(pkiDir+"front-proxy-ca.key", pkiDir+"etcd/ca.key", pkiDir+"apiserver.key", pkiDir+"sa.pub")(d)
	want := []string{pkiDir + "front-proxy-ca.key", pkiDir + "etcd/ca.key", pkiDir + "sa.pub"}
	if diff := cmp.Diff(want, d.set(t, c, now).MissingToUpload()); diff != "" {
		t.Error(diff)
	}
	remove(pkiDir + "etcd/ca.crt")(d)
	want = []string{pkiDir + "front-proxy-ca.key", pkiDir + "sa.pub"}
	if diff := cmp.Diff(want, d.set(t, loadConfig(t, ownEtcdOff), now).MissingToUpload()); diff != "" {
		t.Errorf("with somebody else's etcd: %s", diff)
	}
}
