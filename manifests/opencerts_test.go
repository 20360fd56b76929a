package manifests

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// What one node uploads is what another one gets, by path; what was not there is left out.
func TestOpenCerts(t *testing.T) {
	for file, missing := range map[string]string{
		"testdata/cases/defaults/config.yaml":      "/etc/kubernetes/pki/front-proxy-ca.key",
		"testdata/cases/external-etcd/config.yaml": "/etc/kubernetes/pki/ca.key",
	} {
		t.Run(file, func(t *testing.T) {
			c := load(t, file)
			data := contents(missing)
			secret, _ := certs(t, c, data)
			secret.Data["other.crt"] = []byte("no business of ours")
			got, err := OpenCerts(secret, c, certKey)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]SharedFile{}
			for name, path := range sharedFiles(c) {
				if path == missing {
					continue
				}
				f := SharedFile{Data: data(path), Mode: 0o644}
				if f.Secret = strings.HasSuffix(name, ".key"); f.Secret || name == "sa.pub" {
					f.Mode = 0o600
				}
				want[path] = f
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if len(got) != len(sharedFiles(c))-1 {
				t.Errorf("%d files", len(got))
			}
		})
	}
}

// TestOpenCertsNames: a key is a key, whatever its file is called.
func TestOpenCertsNames(t *testing.T) {
	c := load(t, "testdata/cases/external-etcd/config.yaml")
	c.Cluster.Etcd.External.KeyFile = "/etc/etcd/client-key.pem"
	secret, _ := certs(t, c, contents())
	files, err := OpenCerts(secret, c, certKey)
	if f := files["/etc/etcd/client-key.pem"]; err != nil || !f.Secret || f.Mode != 0o600 {
		t.Errorf("%v %v, %v", f.Secret, f.Mode, err)
	}
}

func TestOpenCertsErrors(t *testing.T) {
	c := load(t, "testdata/cases/defaults/config.yaml")
	change := func(set func(data map[string][]byte)) *corev1.Secret {
		secret, _ := certs(t, c, contents())
		set(secret.Data)
		return secret
	}
	whole := change(func(map[string][]byte) {})
	for name, test := range map[string]struct {
		have *corev1.Secret
		key  []byte
		want string
	}{
		"no Secret": {nil, certKey, "the cluster does not have it; it is deleted two hours after the upload"},
		"wrong key": {whole, bytes.Repeat([]byte{8}, 32), "the certificate key does not open it: "},
		"short key": {whole, certKey[:16], "the certificate key has 16 bytes, not 32"},
		"no entries": {change(func(d map[string][]byte) { delete(d, "sa.pub"); delete(d, "etcd-ca.key") }), certKey,
			"it does not hold etcd-ca.key, sa.pub\n"},
		"damaged": {change(func(d map[string][]byte) { d["sa.key"][20] ^= 1 }), certKey,
			"the certificate key does not open sa.key in it, though it opens the others"},
		"cut off": {change(func(d map[string][]byte) { d["ca.key"] = d["ca.key"][:3] }), certKey, "does not open ca.key in it"},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := OpenCerts(test.have, c, test.key)
			if err == nil || !strings.HasPrefix(err.Error(), "cannot take the shared certificates from Secret kubeadm-certs: ") ||
				!strings.Contains(err.Error(), test.want) || files != nil {
				t.Errorf("%d files, error: %v", len(files), err)
			}
		})
	}
}
