package pki

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/config"
)

// requestAll asks for all requests and writes them.
func requestAll(t *testing.T, d *disk, c *config.Config) {
	t.Helper()
	s := d.set(t, c, now)
	certs, kubeconfigs := s.Requestable()
	for _, row := range append(certs, kubeconfigs...) {
		files, err := s.Request(row)
		if err != nil {
			t.Fatalf("%s: %v", row.Name, err)
		}
		d.write(files, len(files))
	}
}

func TestRequests(t *testing.T) {
	d, c := newDisk(), loadConfig(t, plain+"apiServer: {certSANs: [b.example, a.example]}\n")
	requestAll(t, d, c)
	var got []string
	for _, path := range slices.Sorted(maps.Keys(d.files)) {
		if !strings.HasSuffix(path, ".csr") {
			continue
		}
		r, err := parseRequest(d.files[path])
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		key, err := parseKey(d.files[strings.TrimSuffix(path, ".csr")+".key"])
		if strings.Contains(path, ".conf") {
			kc, parsing := parseKubeconfig(d.files[strings.TrimSuffix(path, ".csr")])
			if parsing != nil || kc.auth.ClientCertificateData != nil || kc.cluster.CertificateAuthorityData != nil || kc.cluster.Server == "" {
				t.Errorf("%s: %v, %+v", path, parsing, kc.cluster)
			}
			key, err = parseKey(kc.auth.ClientKeyData)
			if strings.Contains(path, "kubelet") && kc.cluster.Server != c.LocalAPIURL() {
				t.Errorf("%s names %s, not this machine's API server", path, kc.cluster.Server)
			}
		}
		if err != nil || !samePublic(key.Public(), r.PublicKey) {
			t.Errorf("%s is not for the key beside it: %v", path, err)
		}
		got = append(got, strings.TrimPrefix(path, "/etc/kubernetes/")+" "+r.Subject.String()+" "+strings.Join(r.DNSNames, ","))
	}
	want := []string{
		"admin.conf.csr CN=kubernetes-admin,O=kubeadm:cluster-admins ",
		"controller-manager.conf.csr CN=system:kube-controller-manager ",
		"kubelet.conf.csr CN=system:node:cp1,O=system:nodes ",
		"pki/apiserver-etcd-client.csr CN=kube-apiserver-etcd-client ",
		"pki/apiserver-kubelet-client.csr CN=kube-apiserver-kubelet-client ",
		"pki/apiserver.csr CN=kube-apiserver a.example,b.example,cluster.example,cp1,kubernetes,kubernetes.default,kubernetes.default.svc,kubernetes.default.svc.cluster.local",
		"pki/etcd/healthcheck-client.csr CN=kube-etcd-healthcheck-client ",
		"pki/etcd/peer.csr CN=cp1 cp1,localhost",
		"pki/etcd/server.csr CN=cp1 cp1,localhost",
		"pki/front-proxy-client.csr CN=front-proxy-client ",
		"scheduler.conf.csr CN=system:kube-scheduler ",
		"super-admin.conf.csr CN=kubernetes-super-admin,O=system:masters ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	before := maps.Clone(d.files)
	requestAll(t, d, c)
	if diff := cmp.Diff(before, d.files); diff != "" {
		t.Errorf("a second time: %s", diff)
	}
	requestAll(t, d, loadConfig(t, plain)) // other names: the request is another one, the key is not
	for path := range before {
		if changed := !bytes.Equal(before[path], d.files[path]); changed != (path == pkiDir+"apiserver.csr") {
			t.Errorf("with other names, %s has changed: %t", path, changed)
		}
	}
}

// TestRequestsOfWhatIsThere keeps what somebody else may have begun, and refuses what is no good.
func TestRequestsOfWhatIsThere(t *testing.T) {
	whole, c := made(t, plain)
	d := newDisk()
	for _, path := range []string{pkiDir + "ca.crt", pkiDir + "apiserver.key", "/etc/kubernetes/admin.conf"} {
		d.files[path] = whole.files[path]
	}
	requestAll(t, d, c)
	kc, err := parseKubeconfig(d.files["/etc/kubernetes/scheduler.conf"])
	if err != nil || !bytes.Equal(kc.cluster.CertificateAuthorityData, whole.files[pkiDir+"ca.crt"]) {
		t.Errorf("the CA that is here is not in scheduler.conf: %v", err)
	}
	for _, path := range []string{pkiDir + "apiserver.key", "/etc/kubernetes/admin.conf"} {
		if !bytes.Equal(d.files[path], whole.files[path]) {
			t.Errorf("%s was made again", path)
		}
	}
	if certs, kubeconfigs := d.set(t, loadConfig(t, ownEtcdOff), now).Requestable(); len(certs) != 3 || len(kubeconfigs) != 5 {
		t.Errorf("with somebody else's etcd: %d and %d", len(certs), len(kubeconfigs))
	}
	for path, want := range map[string]string{
		pkiDir + "apiserver.key": "no whole private key", "/etc/kubernetes/admin.conf": "no kubeconfig", pkiDir + "etcd/peer.csr": "is empty",
	} {
		broken := &disk{files: maps.Clone(d.files)}
		broken.files[path] = []byte("\tx")
		if want == "is empty" {
			broken.files[path] = nil
		}
		s := broken.set(t, c, now)
		var failed error
		certs, kubeconfigs := s.Requestable()
		for _, row := range append(certs, kubeconfigs...) {
			if _, err := s.Request(row); err != nil {
				failed = err
			}
		}
		if failed == nil || !strings.Contains(failed.Error(), path) || !strings.Contains(failed.Error(), want) {
			t.Errorf("%s: %v", path, failed)
		}
	}
	d.files[pkiDir+"etcd/peer.csr"] = []byte("x")
	requestAll(t, d, c)
	if _, err := parseRequest(d.files[pkiDir+"etcd/peer.csr"]); err != nil {
		t.Errorf("a damaged request is not made again: %v", err)
	}
}

func TestUserKubeconfig(t *testing.T) {
	d, c := made(t, plain)
	jane := User{Name: "jane", Groups: []string{"a", "b"}, Validity: time.Hour}
	data, until, err := d.set(t, c, now).UserKubeconfig(jane)
	if err != nil || !until.Equal(now.Add(time.Hour)) {
		t.Fatalf("until %s, %v", until, err)
	}
	kc, err := parseKubeconfig(data)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := parseCert(kc.auth.ClientCertificateData)
	if err != nil || cert.Subject.String() != "CN=jane,O=a+O=b" || !cert.NotAfter.Equal(until) || !signedBy(cert, allCerts(d.files[pkiDir+"ca.crt"])) ||
		kc.cluster.Server != "https://cluster.example:7443" {
		t.Errorf("%v, %v until %s for %s", err, cert.Subject, cert.NotAfter, kc.cluster.Server)
	}
	jane.Validity = 20 * validity
	if _, until, err = d.set(t, c, now).UserKubeconfig(jane); err != nil || !until.Equal(now.Add(10*validity)) {
		t.Errorf("longer than its CA: until %s, %v", until, err)
	}
	remove(pkiDir + "ca.key")(d)
	data, until, err = d.set(t, c, now).UserKubeconfig(User{Name: "jane", Token: "t0"})
	if kc, parsing := parseKubeconfig(data); err != nil || parsing != nil || kc.auth.Token != "t0" || kc.auth.ClientKeyData != nil || !until.IsZero() {
		t.Errorf("with a token: %v, %v", err, parsing)
	}
	for _, tc := range []struct {
		user   User
		change func(*disk)
		want   string
	}{
		{User{Name: "jane", Validity: time.Hour}, func(*disk) {}, "ca.key is not here"},
		{User{Name: "jane", Validity: -time.Hour}, func(d *disk) { again, _ := made(t, plain); d.files = again.files }, "must be positive"},
		{User{Name: "jane", Token: "t0"}, remove(pkiDir + "ca.crt"), "ca.crt is not there"},
	} {
		tc.change(d)
		if _, _, err := d.set(t, c, now).UserKubeconfig(tc.user); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v, want %q", err, tc.want)
		}
	}
}
