package manifests

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
)

var certKey = bytes.Repeat([]byte{7}, 32)

// contents gives every file a text of its own, except those that are missing.
func contents(missing ...string) func(string) []byte {
	return func(path string) []byte {
		if slices.Contains(missing, path) {
			return nil
		}
		return []byte("content of " + path)
	}
}

func certs(t *testing.T, c *config.Config, data func(string) []byte) (*corev1.Secret, *corev1.Secret) {
	t.Helper()
	secret, others, err := CertsSecret(c, data, certKey, now, fixed())
	if err != nil {
		t.Fatal(err)
	}
	return secret, others[len(others)-1].(*corev1.Secret)
}

func TestCertsSecret(t *testing.T) {
	c := load(t, "testdata/cases/defaults/config.yaml")
	secret, owner := certs(t, c, contents("/etc/kubernetes/pki/front-proxy-ca.key"))
	got := map[string]string{}
	for name, value := range secret.Data {
		got[name] = open(t, value)
	}
	want := map[string]string{"front-proxy-ca.key": ""}
	for name, path := range map[string]string{
		"ca.crt": "ca.crt", "ca.key": "ca.key", "front-proxy-ca.crt": "front-proxy-ca.crt", "sa.pub": "sa.pub", "sa.key": "sa.key",
		"etcd-ca.crt": "etcd/ca.crt", "etcd-ca.key": "etcd/ca.key",
	} {
		want[name] = "content of /etc/kubernetes/pki/" + path
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decrypted (-want +got):\n%s", diff)
	}
	if secret.Namespace+"/"+secret.Name != "kube-system/kubeadm-certs" {
		t.Errorf("it is called %s/%s", secret.Namespace, secret.Name)
	}
	ref := secret.OwnerReferences[0]
	if ref.Name != owner.Name || ref.UID != "" || !*ref.Controller || !*ref.BlockOwnerDeletion {
		t.Errorf("owner: %+v", ref)
	}
	SetCertsOwner(secret, "other", "uid-1")
	if ref := secret.OwnerReferences; len(ref) != 1 || ref[0].Name != "other" || ref[0].UID != "uid-1" {
		t.Errorf("owner after it was set: %+v", ref)
	}
}

// open decrypts a value by the standard library alone: nonce, text and tag under AES-256-GCM.
func open(t *testing.T, value []byte) string {
	t.Helper()
	if len(value) == 0 {
		return ""
	}
	block, err := aes.NewCipher(certKey)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	text, err := gcm.Open(nil, value[:12], value[12:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The owner's token lives for two hours, nobody can do anything with it, and the next upload has no other one.
func TestCertsOwner(t *testing.T) {
	_, owner := certs(t, load(t, "testdata/cases/defaults/config.yaml"), contents())
	_, objects, err := CertsSecret(load(t, "testdata/cases/defaults/config.yaml"), contents(), certKey, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	again := objects[len(objects)-1].(*corev1.Secret)
	if again.Name != owner.Name || string(again.Data["token-secret"]) == string(owner.Data["token-secret"]) {
		t.Errorf("the next upload has the owner %s, not %s, or the same secret of a token", again.Name, owner.Name)
	}
	if owner.Type != "bootstrap.kubernetes.io/token" || !strings.HasPrefix(owner.Name, "bootstrap-token-") {
		t.Errorf("owner is a %s called %s", owner.Type, owner.Name)
	}
	if got, want := string(owner.Data["expiration"]), now.Add(2*time.Hour).Format(time.RFC3339); got != want {
		t.Errorf("expires %s, want %s", got, want)
	}
	for key := range maps.Keys(owner.Data) {
		if strings.HasPrefix(key, "usage-") || key == "auth-extra-groups" {
			t.Errorf("the token has %s", key)
		}
	}
}

func TestCertsSecretExternalEtcd(t *testing.T) {
	secret, _ := certs(t, load(t, "testdata/cases/external-etcd/config.yaml"), contents())
	got := open(t, secret.Data["external-etcd-ca.crt"]) + ", " + open(t, secret.Data["external-etcd.crt"]) + ", " +
		open(t, secret.Data["external-etcd.key"])
	want := "content of /srv/etcd/ca.crt, content of /srv/etcd/client/client.crt, content of /srv/etcd-keys/client.key"
	if got != want {
		t.Errorf("got %s want %s", got, want)
	}
	if _, ok := secret.Data["etcd-ca.key"]; ok {
		t.Error("the key of a local etcd's CA is in it")
	}
}

func TestCertsMatch(t *testing.T) {
	c := load(t, "testdata/cases/defaults/config.yaml")
	const missing = "/etc/kubernetes/pki/front-proxy-ca.key"
	change := func(set func(*corev1.Secret)) *corev1.Secret {
		secret, _ := certs(t, c, contents(missing))
		set(secret)
		return secret
	}
	same := change(func(*corev1.Secret) {})
	for name, test := range map[string]struct {
		have *corev1.Secret
		data func(string) []byte
		key  []byte
		want bool
	}{
		"same":          {same, contents(missing), certKey, true},
		"other key":     {same, contents(missing), bytes.Repeat([]byte{8}, 32), false},
		"short key":     {same, contents(missing), certKey[:16], false},
		"file appeared": {same, contents(), certKey, false},
		"file gone":     {same, contents(missing, "/etc/kubernetes/pki/sa.key"), certKey, false},
		"no entry":      {change(func(s *corev1.Secret) { delete(s.Data, "sa.pub") }), contents(missing), certKey, false},
		"cut off":       {change(func(s *corev1.Secret) { s.Data["sa.pub"] = s.Data["sa.pub"][:5] }), contents(missing), certKey, false},
		"tampered":      {change(func(s *corev1.Secret) { s.Data["sa.pub"][20] ^= 1 }), contents(missing), certKey, false},
		"swapped": {change(func(s *corev1.Secret) {
			s.Data["ca.crt"], s.Data["sa.pub"] = s.Data["sa.pub"], s.Data["ca.crt"]
		}), contents(missing), certKey, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CertsMatch(test.have, c, test.data, test.key); got != test.want {
				t.Errorf("match: %v", got)
			}
		})
	}
}

// A value in kubeadm's format that was not made by encrypt: 12 bytes of nonce, ciphertext, 16 bytes of tag. It is test case 14
// of the AES-GCM specification: key, nonce and text are zeros.
func TestDecryptKnown(t *testing.T) {
	value, err := hex.DecodeString("000000000000000000000000" + "cea7403d4d606b6e074ec5d3baf39d18" + "d0d1c8a799996bf0265b98b5d48ab919")
	if err != nil {
		t.Fatal(err)
	}
	text, err := decrypt(value, make([]byte, 32))
	if err != nil || !bytes.Equal(text, make([]byte, 16)) {
		t.Errorf("got %x, %v", text, err)
	}
}

func TestCertsSecretErrors(t *testing.T) {
	c := load(t, "testdata/cases/defaults/config.yaml")
	if _, _, err := CertsSecret(c, contents(), certKey[:31], now, fixed()); err == nil || !strings.Contains(err.Error(), "31 bytes") {
		t.Errorf("a short key: %v", err)
	}
	broken := errors.New("no randomness")
	if _, _, err := CertsSecret(c, contents(), certKey, now, iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("without randomness: %v", err)
	}
}
