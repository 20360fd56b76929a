package pki

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
)

const validity = 365 * 24 * time.Hour

// renewAll renews everything and writes it.
func renewAll(t *testing.T, d *disk, s *Set) map[string]Renewal {
	return renewRows(t, d, s, s.Renewable())
}

func renewRows(t *testing.T, d *disk, s *Set, rows []Row) map[string]Renewal {
	t.Helper()
	got := map[string]Renewal{}
	for _, row := range rows {
		r, err := s.Renew(row)
		if err != nil {
			t.Fatalf("%s: %v", row.RenewalName(), err)
		}
		d.write(r.Files, len(r.Files))
		got[r.Name] = r
	}
	return got
}

// held is the certificate of a row on the disk.
func held(t *testing.T, d *disk, c *config.Config, name string) *x509.Certificate {
	t.Helper()
	rows := Renewable()
	row := rows[slices.IndexFunc(rows, func(r Row) bool { return r.RenewalName() == name })]
	cert, err := d.set(t, c, now).certificateOf(row)
	if err != nil || cert == nil {
		t.Fatalf("%s: %v, %v", name, cert, err)
	}
	return cert
}

func TestRenewableNames(t *testing.T) {
	var names []string
	for _, row := range Renewable() {
		names = append(names, row.RenewalName())
	}
	want := []string{"admin.conf", "apiserver", "apiserver-etcd-client", "apiserver-kubelet-client", "controller-manager.conf",
		"etcd-healthcheck-client", "etcd-peer", "etcd-server", "front-proxy-client", "scheduler.conf", "super-admin.conf"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if n := len(newDisk().set(t, loadConfig(t, ownEtcdOff), now).Renewable()); n != 7 {
		t.Errorf("with somebody else's etcd %d can be renewed", n)
	}
}

// TestRenew makes new certificates that differ from the old ones in key, serial number and time alone, with keys of every kind, and
// leaves a PKI that init keeps.
func TestRenew(t *testing.T) {
	later := now.Add(100 * 24 * time.Hour)
	for _, algorithm := range []string{"ECDSA-P256", "ECDSA-P384", "RSA-2048", "RSA-3072", "RSA-4096"} {
		t.Run(algorithm, func(t *testing.T) {
			d, _ := made(t, plain+"apiServer: {certSANs: [b.example, a.example, 192.0.2.9]}\n")
			c := loadConfig(t, plain+"apiServer: {certSANs: [b.example, a.example, 192.0.2.9]}\nencryptionAlgorithm: "+algorithm+"\n")
			old := map[string]*x509.Certificate{}
			for _, row := range Renewable() {
				old[row.RenewalName()] = held(t, d, c, row.RenewalName())
			}
			rows := Renewable()
			if strings.HasPrefix(algorithm, "RSA") { // large primes take their time: one certificate and one kubeconfig will do
				rows = []Row{rows[1], rows[9]}
			}
			for name, r := range renewRows(t, d, d.set(t, c, later), rows) {
				cert := held(t, d, c, name)
				if r.Outcome != Renewed || r.Notes != nil || !cert.NotAfter.Equal(later.Add(validity)) || !r.Until.Equal(cert.NotAfter) ||
					!cert.NotBefore.Equal(later.Add(-5*time.Minute)) {
					t.Errorf("%s: %s until %s, %v; the certificate is good from %s until %s", name, r.Outcome, r.Until, r.Notes, cert.NotBefore, cert.NotAfter)
				}
				if diff := cmp.Diff(profile(old[name]), profile(cert)); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
				if samePublic(old[name].PublicKey, cert.PublicKey) || algorithmOf(cert.PublicKey, "") != c.Cluster.EncryptionAlgorithm {
					t.Errorf("%s: the key is the old one, or is no %s", name, algorithm)
				}
			}
			s := d.set(t, c, later)
			if files := all(t, s); slices.ContainsFunc(files, func(f File) bool { return f.Why != "" }) || s.Warnings() != nil {
				t.Errorf("init does not keep what was renewed; warnings %v", s.Warnings())
			}
		})
	}
}

// TestRenewLikeBefore keeps the kind of each key where nobody says which one the cluster has.
func TestRenewLikeBefore(t *testing.T) {
	d, c := made(t, plain+"encryptionAlgorithm: RSA-2048\n")
	c.Cluster.EncryptionAlgorithm = config.EncryptionAlgorithmECDSAP256
	s := d.set(t, c, now)
	s.in.LikeBefore = true
	for name := range renewRows(t, d, s, s.Renewable()[:2]) {
		if got := algorithmOf(held(t, d, c, name).PublicKey, ""); got != config.EncryptionAlgorithmRSA2048 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestRenewKubeconfig changes the credentials and the CA, and nothing that the user has added.
func TestRenewKubeconfig(t *testing.T) {
	d, c := made(t, plain)
	const path = "/etc/kubernetes/admin.conf"
	var kc clientcmdapi.Config
	if err := yaml.Unmarshal(d.files[path], &kc); err != nil {
		t.Fatal(err)
	}
	kc.Clusters[0].Cluster.Server = "https://other.example:6443"
	kc.Clusters[0].Cluster.CertificateAuthorityData = []byte("old")
	kc.Contexts[0].Context.Namespace = "team"
	kc.AuthInfos = append(kc.AuthInfos, clientcmdapi.NamedAuthInfo{Name: "bob", AuthInfo: clientcmdapi.AuthInfo{Token: "t"}})
	data, err := yaml.Marshal(kc)
	if err != nil {
		t.Fatal(err)
	}
	d.files[path] = data
	other, _ := made(t, plain) // a CA that is being replaced: all of the file is put in
	d.files[pkiDir+"ca.crt"] = slices.Concat(d.files[pkiDir+"ca.crt"], other.files[pkiDir+"ca.crt"])
	renewAll(t, d, d.set(t, c, now.Add(time.Hour)))
	var got clientcmdapi.Config
	if err := yaml.Unmarshal(d.files[path], &got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Clusters[0].Cluster.CertificateAuthorityData, d.files[pkiDir+"ca.crt"]) {
		t.Error("the CA is the old one, or half of the bundle")
	}
	user := &got.AuthInfos[0].AuthInfo
	cert, err := parseCert(user.ClientCertificateData)
	if err != nil {
		t.Fatal(err)
	}
	key, err := parseKey(user.ClientKeyData)
	if err != nil || !samePublic(cert.PublicKey, key.Public()) || bytes.Equal(user.ClientKeyData, kc.AuthInfos[0].AuthInfo.ClientKeyData) {
		t.Errorf("the key is the old one, or another one's: %v", err)
	}
	kc.Clusters[0].Cluster.CertificateAuthorityData = got.Clusters[0].Cluster.CertificateAuthorityData
	kc.AuthInfos[0].AuthInfo.ClientCertificateData, kc.AuthInfos[0].AuthInfo.ClientKeyData = user.ClientCertificateData, user.ClientKeyData
	if diff := cmp.Diff(kc, got); diff != "" {
		t.Error(diff)
	}
}

// TestRenewSpecial has an outcome, a remark or an error for whatever is not as usual.
func TestRenewSpecial(t *testing.T) {
	other, _ := made(t, plain)
	swapCA := func(d *disk) {
		for _, name := range []string{"ca.crt", "ca.key"} {
			d.files[pkiDir+name] = other.files[pkiDir+name]
		}
	}
	for _, tc := range []struct {
		name, row string
		at        time.Duration
		change    func(*disk)
		outcome   Outcome
		want      string // in the notes or in the error; "" for neither
	}{
		{"missing", "apiserver", 0, remove(pkiDir + "apiserver.crt"), Missing, ""},
		{"missing kubeconfig", "admin.conf", 0, remove("/etc/kubernetes/admin.conf"), Missing, ""},
		{"external CA", "apiserver", 0, remove(pkiDir + "ca.key"), External, ""},
		{"external CA of a kubeconfig", "scheduler.conf", 0, remove(pkiDir + "ca.key"), External, ""},
		{"external CA of another", "front-proxy-client", 0, remove(pkiDir + "ca.key"), Renewed, ""},
		{"expired", "apiserver", validity + time.Hour, func(*disk) {}, Renewed, ""},
		{"lost key", "apiserver", 0, remove(pkiDir + "apiserver.key"), Renewed, ""},
		{"somebody else's key", "apiserver", 0, func(d *disk) { d.files[pkiDir+"apiserver.key"] = d.files[pkiDir+"sa.key"] }, Renewed, ""},
		{"CA that expires soon", "apiserver", 10*validity - time.Hour, func(*disk) {}, Renewed, "good until 2036-11-21 only: its CA /etc/kubernetes/pki/ca.crt expires then"},
		{"other CA", "apiserver", 0, swapCA, Renewed, "is not signed by /etc/kubernetes/pki/ca.crt, which signs the new one"},
		{"other CA of a kubeconfig", "admin.conf", 0, swapCA, Renewed, "is not signed by /etc/kubernetes/pki/ca.crt"},
		{"kubeconfig with a token", "admin.conf", 0, withUser("{token: t}"), Foreign, ""},
		{"kubeconfig with a plugin", "admin.conf", 0, withUser("{exec: {apiVersion: client.authentication.k8s.io/v1, command: login}}"), Foreign, ""},
		{"kubeconfig with files", "admin.conf", 0, withUser("{client-certificate: /a.crt, client-key: /a.key}"), Foreign, ""},
		{"CA missing", "apiserver", 0, remove(pkiDir+"ca.crt", pkiDir+"ca.key"), "", "cannot renew apiserver: the CA /etc/kubernetes/pki/ca.crt is not there; bring it back"},
		{"CA expired", "apiserver", 11 * validity, func(*disk) {}, "", "cannot renew apiserver: cannot use /etc/kubernetes/pki/ca.crt: the CA expired on 2036-11-21"},
		{"key of another CA", "apiserver", 0, func(d *disk) { d.files[pkiDir+"ca.key"] = d.files[pkiDir+"front-proxy-ca.key"] }, "", "it is not the key of /etc/kubernetes/pki/ca.crt"},
		{"damaged", "apiserver", 0, func(d *disk) { d.files[pkiDir+"apiserver.crt"] = []byte("x") }, "", "cannot use /etc/kubernetes/pki/apiserver.crt: there is no whole certificate in it"},
		{"empty", "etcd-peer", 0, func(d *disk) { d.files[pkiDir+"etcd/peer.crt"] = nil }, "", "it is empty"},
		{"damaged kubeconfig", "admin.conf", 0, func(d *disk) { d.files["/etc/kubernetes/admin.conf"] = []byte("\tx") }, "", "it is no kubeconfig"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, c := made(t, plain)
			tc.change(d)
			s := d.set(t, c, now.Add(tc.at))
			rows := s.Renewable()
			r, err := s.Renew(rows[slices.IndexFunc(rows, func(r Row) bool { return r.RenewalName() == tc.row })])
			if tc.outcome == "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%v, want %q", err, tc.want)
				}
				return
			}
			notes := strings.Join(r.Notes, "\n")
			if err != nil || r.Outcome != tc.outcome || (r.Files != nil) != (tc.outcome == Renewed) || (notes != "") != (tc.want != "") ||
				!strings.Contains(notes, tc.want) {
				t.Errorf("%s with %d files, notes %q, error %v", r.Outcome, len(r.Files), notes, err)
			}
		})
	}
}

// withUser makes admin.conf a kubeconfig of somebody.
func withUser(user string) func(*disk) {
	return put("/etc/kubernetes/admin.conf", "current-context: c\nclusters: [{name: c, cluster: {server: https://a}}]\n"+
		"contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: "+user+"}]\n")
}

// TestRenewAgain renews after a run that stopped between the two files of a certificate.
func TestRenewAgain(t *testing.T) {
	d, c := made(t, plain)
	rows := Renewable()
	s := d.set(t, c, now)
	r, err := s.Renew(rows[1])
	if err != nil || len(r.Files) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	before := s.Hash(pkiDir + "apiserver.crt")
	if d.set(t, c, now).Hash(pkiDir+"apiserver.crt") == before {
		t.Error("the hash does not know the new certificate")
	}
	d.write(r.Files, 1)
	if _, err := d.set(t, c, now).Files("apiserver"); err == nil || !strings.Contains(err.Error(), "kubewright certs renew apiserver") {
		t.Errorf("init: %v", err)
	}
	renewAll(t, d, d.set(t, c, now))
	if _, err := d.set(t, c, now).Files("apiserver"); err != nil {
		t.Error(err)
	}
}

func TestExpirations(t *testing.T) {
	d, c := made(t, plain)
	remove(pkiDir+"etcd/peer.crt", pkiDir+"front-proxy-ca.key", pkiDir+"etcd/ca.crt")(d)
	certs, cas, err := d.set(t, c, now).Expirations()
	if err != nil {
		t.Fatal(err)
	}
	leaf, ca := now.Add(validity), now.Add(10*validity)
	want := []Expiration{
		{Name: "admin.conf", CA: "ca", NotAfter: leaf}, {Name: "apiserver", CA: "ca", NotAfter: leaf},
		{Name: "apiserver-etcd-client", CA: "etcd-ca", NotAfter: leaf}, {Name: "apiserver-kubelet-client", CA: "ca", NotAfter: leaf},
		{Name: "controller-manager.conf", CA: "ca", NotAfter: leaf}, {Name: "etcd-healthcheck-client", CA: "etcd-ca", NotAfter: leaf},
		{Name: "etcd-peer", Missing: true}, {Name: "etcd-server", CA: "etcd-ca", NotAfter: leaf},
		{Name: "front-proxy-client", CA: "front-proxy-ca", NotAfter: leaf, External: true},
		{Name: "scheduler.conf", CA: "ca", NotAfter: leaf}, {Name: "super-admin.conf", CA: "ca", NotAfter: leaf},
	}
	if diff := cmp.Diff(want, certs); diff != "" {
		t.Error(diff)
	}
	want = []Expiration{{Name: "ca", NotAfter: ca}, {Name: "etcd-ca", Missing: true}, {Name: "front-proxy-ca", NotAfter: ca, External: true}}
	if diff := cmp.Diff(want, cas); diff != "" {
		t.Error(diff)
	}
	withUser("{token: t}")(d)
	s := d.set(t, loadConfig(t, ownEtcdOff), now)
	certs, cas, err = s.Expirations()
	if err != nil || len(certs) != 6 || len(cas) != 2 || len(s.Warnings()) != 1 || !strings.Contains(s.Warnings()[0], "no certificate is in it") {
		t.Errorf("%d certificates, %d CAs, warnings %v, %v", len(certs), len(cas), s.Warnings(), err)
	}
	d.files[pkiDir+"apiserver.crt"] = []byte("x")
	if _, _, err := s.Expirations(); err == nil || !strings.Contains(err.Error(), "apiserver.crt: there is no whole certificate") {
		t.Errorf("a damaged certificate: %v", err)
	}
}
