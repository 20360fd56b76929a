package manifests

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kubewright/kubewright/config"
)

const (
	certsSecretName = "kubeadm-certs"
	certsLifetime   = 2 * time.Hour
	// certsOwnerID is always the same, so that an upload that was interrupted, or is repeated, leaves no second token.
	certsOwnerID = "kwcert"
)

// CertsSecret is the Secret kubeadm-certs: the files that control-plane nodes share, each encrypted with key (32 bytes), for
// a joining node that knows the key. data reads a file, nil when it is not there; such a file is uploaded empty. The other
// objects are the Role and RoleBinding that let joining nodes read it, and last the Secret of a bootstrap token without any
// use: it expires after two hours, the controller manager deletes it, and what it owns goes with it.
//
// The owner is named, but its UID is not known before the cluster has it: SetCertsOwner fills it in. Without it the API
// server refuses the Secret, rather than keeping it for ever.
func CertsSecret(c *config.Config, data func(path string) []byte, key []byte, now time.Time, rand io.Reader) (*corev1.Secret, []runtime.Object, error) {
	owner, err := certsOwner(now, rand)
	if err != nil {
		return nil, nil, err
	}
	certs := secret(metav1.NamespaceSystem, certsSecretName, corev1.SecretTypeOpaque, map[string][]byte{})
	files := sharedFiles(c)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := data(files[name])
		if text == nil {
			certs.Data[name] = []byte{}
			continue
		}
		if certs.Data[name], err = encrypt(text, key, rand); err != nil {
			return nil, nil, fmt.Errorf("cannot encrypt %s for Secret %s: %w", files[name], certsSecretName, err)
		}
	}
	SetCertsOwner(certs, owner.Name, "")
	rbac := readers(metav1.NamespaceSystem, "kubeadm:kubeadm-certs", "secrets", certsSecretName,
		group(config.NodeBootstrapTokenAuthGroup))
	return certs, append(rbac, owner), nil
}

// SetCertsOwner makes a token's Secret the owner of the Secret kubeadm-certs, by the name and the UID that it has in the cluster.
func SetCertsOwner(certs *corev1.Secret, name string, uid types.UID) {
	certs.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "v1", Kind: "Secret", Name: name, UID: uid, Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
	}}
}

func certsOwner(now time.Time, rand io.Reader) (*corev1.Secret, error) {
	text, err := config.NewToken(rand)
	if err != nil {
		return nil, err
	}
	_, value, err := config.ParseToken(text)
	if err != nil {
		return nil, err
	}
	return tokenSecret(config.BootstrapToken{
		Token:       &config.BootstrapTokenString{ID: certsOwnerID, Secret: value},
		Description: "Ends the life of Secret " + certsSecretName + "; nobody can log in with it",
		TTL:         &metav1.Duration{Duration: certsLifetime},
	}, now), nil
}

// CertsMatch says that have, decrypted with key, holds exactly the files that data reads.
func CertsMatch(have *corev1.Secret, c *config.Config, data func(path string) []byte, key []byte) bool {
	for name, path := range sharedFiles(c) {
		value, there := have.Data[name]
		if !there {
			return false
		}
		var text []byte
		if len(value) > 0 {
			var err error
			if text, err = decrypt(value, key); err != nil {
				return false
			}
		}
		if !bytes.Equal(text, data(path)) {
			return false
		}
	}
	return true
}

// sharedFiles are the files that all control-plane nodes have alike: their names in the Secret and their paths.
func sharedFiles(c *config.Config) map[string]string {
	n := Node{Config: c}
	files := map[string]string{}
	for _, name := range []string{"ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.pub", "sa.key"} {
		files[name] = n.pkiPath(name)
	}
	if e := c.Cluster.Etcd.External; e != nil {
		files["external-etcd-ca.crt"], files["external-etcd.crt"], files["external-etcd.key"] = e.CAFile, e.CertFile, e.KeyFile
		return files
	}
	files["etcd-ca.crt"], files["etcd-ca.key"] = n.pkiPath("etcd/ca.crt"), n.pkiPath("etcd/ca.key")
	return files
}
