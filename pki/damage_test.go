package pki

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDamage says what each kind of damage to a good PKI leads to: an error that names the file, or a new file and why.
func TestDamage(t *testing.T) {
	conf := "/etc/kubernetes/"
	year := 366 * 24 * time.Hour
	for _, tc := range []struct {
		name   string
		damage func(d *disk)
		later  time.Duration
		config string
		row    string
		err    string // part of the error; empty for none
		remade string // "path: why" of the file that is made again
	}{
		{name: "empty certificate", damage: put(pkiDir+"ca.crt", ""), row: "ca", err: "pki/ca.crt: it is empty"},
		{name: "half a certificate", damage: half(pkiDir + "apiserver.crt"), row: "apiserver", err: "pki/apiserver.crt: there is no whole certificate"},
		{name: "half a key", damage: half(pkiDir + "ca.key"), row: "ca", err: "pki/ca.key: there is no whole private key"},
		{name: "half the public key", damage: half(pkiDir + "sa.pub"), row: "sa", err: "pki/sa.pub: there is no whole public key"},
		{name: "another public key", damage: put(pkiDir+"sa.pub", string(otherPublic(t))), row: "sa", err: "does not belong to the private key"},
		{name: "public key alone", damage: remove(pkiDir + "sa.key"), row: "sa", err: "its private key"},
		{name: "half a kubeconfig", damage: half(conf + "admin.conf"), row: "admin", err: "admin.conf"},
		{name: "key of another certificate", damage: copied(pkiDir+"ca.key", pkiDir+"apiserver.key"), row: "apiserver", err: "is not the key of"},
		{name: "foreign certificate", damage: foreign(t, pkiDir+"apiserver.crt", pkiDir+"apiserver.key"), row: "apiserver", err: "is not signed by"},
		{name: "foreign kubeconfig", damage: foreign(t, conf+"admin.conf"), row: "admin", err: "its CA is not the CA of this cluster"},
		{name: "no CA but a leaf", damage: copied(pkiDir+"apiserver.crt", pkiDir+"ca.crt"), row: "ca", err: "is not the key of"},
		{name: "expired CA", later: 11 * year, row: "ca", err: "the CA expired on 2036-11-21"},
		{name: "clock before the CA", later: -year, row: "ca", err: "is this machine's clock right?"},
		{name: "expired leaf", later: year, row: "apiserver", remade: pkiDir + "apiserver.crt: it expired on 2027-11-24"},
		{name: "expired kubeconfig", later: year, row: "admin", remade: conf + "admin.conf: its client certificate expired on 2027-11-24"},
		{name: "expired kubelet", later: year, row: "kubelet", remade: conf + "kubelet.conf: its client certificate expired on 2027-11-24"},
		{name: "no key", damage: remove(pkiDir + "apiserver.key"), row: "apiserver", remade: pkiDir + "apiserver.crt: its key " + pkiDir + "apiserver.key is missing"},
		{name: "new name", config: plain + "apiServer:\n  certSANs: [new.example, 10.0.0.5]\n", row: "apiserver",
			remade: pkiDir + "apiserver.crt: SANs differ: +new.example +10.0.0.5"},
		{name: "another node's kubelet.conf", config: plain + "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nnodeRegistration: {name: cp2}\n",
			row: "kubelet", err: "it is for node cp1, but this node is to be cp2"},
		{name: "no rotated certificate", damage: remove(currentPEM), row: "kubelet", remade: conf + "kubelet.conf: its client certificate " + currentPEM + " is not there"},
		{name: "external CA, all there", damage: remove(pkiDir + "ca.key"), row: "ca"},
		{name: "external CA, files missing", damage: remove(pkiDir+"ca.key", pkiDir+"apiserver.key", conf+"admin.conf"), row: "ca",
			err: "must be brought:\n  /etc/kubernetes/pki/apiserver.key\n  /etc/kubernetes/admin.conf"},
		{name: "external CA, expired leaf", damage: remove(pkiDir + "ca.key"), later: year, row: "apiserver", err: "it expired on 2027-11-24, and the CA's key"},
		{name: "external CA, new name", damage: remove(pkiDir + "ca.key"), config: plain + "apiServer:\n  certSANs: [new.example]\n", row: "apiserver"},
		{name: "external CA, no certificate", damage: remove(pkiDir+"ca.key", pkiDir+"apiserver.crt"), row: "apiserver", err: "bring the certificate"},
		{name: "no CA for a part alone", damage: remove(pkiDir+"ca.key", pkiDir+"ca.crt"), row: "apiserver", err: "run phase certs/ca first"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, c := made(t, plain)
			if tc.damage != nil {
				tc.damage(d)
			}
			if tc.config != "" {
				c = loadConfig(t, tc.config)
			}
			files, err := d.set(t, c, now.Add(tc.later)).Files(tc.row)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v, want one with %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			remade := ""
			for _, f := range files {
				if f.Why != "" {
					remade = f.Path + ": " + f.Why
				}
			}
			if remade != tc.remade {
				t.Errorf("remade %q, want %q", remade, tc.remade)
			}
		})
	}
}

func TestExternalCAWarnsOfNames(t *testing.T) {
	d, _ := made(t, plain)
	remove(pkiDir + "ca.key")(d)
	s := d.set(t, loadConfig(t, plain+"apiServer:\n  certSANs: [new.example]\n"), now)
	if _, err := s.Files("apiserver"); err != nil {
		t.Fatal(err)
	}
	if w := s.Warnings(); len(w) != 1 || !strings.Contains(w[0], "SANs differ: +new.example") {
		t.Errorf("warnings %v", w)
	}
	if !s.ExternalCA() {
		t.Error("the CA without a key does not count as external")
	}
}

func TestRemadeLeafKeepsItsKey(t *testing.T) {
	d, c := made(t, plain)
	files, err := d.set(t, c, now.Add(9000*time.Hour)).Files("apiserver")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(files[0].Data, d.files[pkiDir+"apiserver.key"]) || bytes.Equal(files[1].Data, d.files[pkiDir+"apiserver.crt"]) {
		t.Error("want the same key and a new certificate")
	}
}

// TestBundle is a CA that is being replaced: the old and the new one in one file.
func TestBundle(t *testing.T) {
	d, c := made(t, plain)
	other, _ := made(t, plain)
	d.files[pkiDir+"ca.crt"] = slices.Concat(d.files[pkiDir+"ca.crt"], other.files[pkiDir+"ca.crt"])
	s := d.set(t, c, now)
	for _, name := range allRows() {
		if _, err := s.Files(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if hashes, err := CAHashes(s.Data("/etc/kubernetes/pki/ca.crt")); err != nil || len(hashes) != 2 {
		t.Errorf("hashes %v, %v", hashes, err)
	}
}

func TestOtherServerIsKeptWithAWarning(t *testing.T) {
	d, _ := made(t, plain)
	s := d.set(t, loadConfig(t, strings.Replace(plain, "cluster.example", "other.example", 1)), now)
	files, err := s.Files("admin")
	if err != nil || files[0].Why != "" {
		t.Fatalf("%v %v", files, err)
	}
	if w := s.Warnings(); len(w) != 1 || !strings.Contains(w[0], "names the server https://cluster.example:7443") {
		t.Errorf("warnings %v", w)
	}
}

func TestErrorsQuoteNoKey(t *testing.T) {
	d, c := made(t, plain)
	secret := strings.Split(string(d.files["/etc/kubernetes/admin.conf"]), "client-key-data: ")[1][:40]
	d.files["/etc/kubernetes/admin.conf"] = []byte("x: [\n" + string(d.files["/etc/kubernetes/admin.conf"]))
	_, err := d.set(t, c, now).Files("admin")
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("error %v", err)
	}
}

// TestUnreadableIsSaidOnce: the reader names the file; a second time helps nobody.
func TestUnreadableIsSaidOnce(t *testing.T) {
	d, c := made(t, plain)
	denied := errors.New("cannot read " + pkiDir + "ca.key: permission denied")
	read := func(path string) ([]byte, error) {
		if path == pkiDir+"ca.key" {
			return nil, denied
		}
		return d.read(path)
	}
	_, err := Plan(Input{Config: c, Read: read, Now: now, Rand: rand.Reader}).Files("ca")
	if err == nil || err.Error() != denied.Error() {
		t.Errorf("error %v", err)
	}
}
