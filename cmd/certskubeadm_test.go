package cmd

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRenewLikeKubeadm renews a whole PKI that kubeadm has made.
func TestRenewLikeKubeadm(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil, "node-1")
	k := newKubeadmBelow(t, m)
	const cluster = "encryptionAlgorithm: ECDSA-P256\ncontrolPlaneEndpoint: cluster.example:6443\napiServer: {certSANs: [b.example, a.example]}\n"
	theirs, ours := k.config(cluster)
	k.run("init", "phase", "certs", "all", "--config", theirs)
	k.run("init", "phase", "kubeconfig", "all", "--config", theirs)
	made, before := certificates(t, m)
	for i, tool := range []string{"kubewright", "kubeadm", "kubewright"} { // either goes on with what the other one has made
		if tool == "kubeadm" {
			k.run("certs", "renew", "all", "--config", theirs)
		} else {
			joined(t, m, "certs", "renew", "all", "--config", ours)
		}
		profiles, keys := certificates(t, m)
		if diff := cmp.Diff(made, profiles); diff != "" {
			t.Errorf("round %d, %s:\n%s", i, tool, diff)
		}
		for path, key := range keys {
			renewed := !strings.HasSuffix(path, "ca.crt") && !strings.HasSuffix(path, "kubelet.conf")
			if renewed != (key != before[path]) {
				t.Errorf("round %d, %s: %s is renewed: %t", i, tool, path, !renewed)
			}
		}
		before = keys
	}
	// Both tools take what is there for finished.
	_, keys := certificates(t, m)
	k.run("init", "phase", "certs", "all", "--config", theirs)
	k.run("init", "phase", "kubeconfig", "all", "--config", theirs)
	joined(t, m, "init", "phase", "certs", "all", "--config", ours)
	joined(t, m, "init", "phase", "kubeconfig", "admin", "--config", ours)
	if _, after := certificates(t, m); !maps.Equal(keys, after) {
		t.Error("something was made again")
	}
}

// TestRenewAlgorithmsLikeKubeadm renews with keys of all other kinds: with the kind that is asked for, whatever it was before.
func TestRenewAlgorithmsLikeKubeadm(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil, "node-1")
	k := newKubeadmBelow(t, m)
	theirs, ours := k.config("encryptionAlgorithm: ECDSA-P256\n")
	k.run("init", "phase", "certs", "ca", "--config", theirs)
	k.run("init", "phase", "certs", "apiserver", "--config", theirs)
	for _, algorithm := range []string{"ECDSA-P384", "RSA-2048", "RSA-3072", "RSA-4096"} {
		k.config("encryptionAlgorithm: " + algorithm + "\n")
		k.run("certs", "renew", "apiserver", "--config", theirs)
		want, before := certificates(t, m)
		joined(t, m, "certs", "renew", "apiserver", "--config", ours)
		got, after := certificates(t, m)
		if diff := cmp.Diff(want, got); diff != "" || before["/etc/kubernetes/pki/apiserver.crt"] == after["/etc/kubernetes/pki/apiserver.crt"] {
			t.Errorf("%s: -kubeadm +kubewright:\n%s", algorithm, diff)
		}
	}
}

// TestRenewExternalLikeKubeadm leaves alone what kubeadm leaves alone, and succeeds as it does.
func TestRenewExternalLikeKubeadm(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil, "node-1")
	k := newKubeadmBelow(t, m)
	theirs, ours := k.config("encryptionAlgorithm: ECDSA-P256\n")
	k.run("init", "phase", "certs", "all", "--config", theirs)
	k.run("init", "phase", "kubeconfig", "all", "--config", theirs)
	if err := errors.Join(m.host.Remove("/etc/kubernetes/pki/ca.key"), m.host.Remove("/etc/kubernetes/pki/etcd/peer.crt")); err != nil {
		t.Fatal(err)
	}
	_, before := certificates(t, m)
	k.run("certs", "renew", "front-proxy-client", "--config", theirs)
	k.run("certs", "renew", "apiserver", "--config", theirs)
	_, byKubeadm := certificates(t, m)
	output := joined(t, m, "certs", "renew", "all", "--config", ours)
	_, byUs := certificates(t, m)
	for path := range before {
		external := path == "/etc/kubernetes/pki/ca.crt" || !strings.Contains(path, "etcd") && !strings.Contains(path, "front-proxy")
		if kept := byUs[path] == before[path]; kept != (external || strings.HasSuffix(path, "ca.crt")) || external && byKubeadm[path] != before[path] {
			t.Errorf("%s is kept: %t", path, kept)
		}
	}
	for _, want := range []string{"etcd-peer                MISSING", "apiserver                not renewed: the key of its CA ca is not here"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	for _, form := range []string{"text", "json", "yaml"} {
		sameExpirations(t, k, "-o", form)
	}
}

// TestExpirationsLikeKubeadm tells of one PKI what kubeadm tells, to the last space.
func TestExpirationsLikeKubeadm(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil, "node-1")
	k := newKubeadmBelow(t, m)
	theirs, ours := k.config("encryptionAlgorithm: ECDSA-P256\n")
	sameExpirations(t, k) // nothing is there
	k.run("init", "phase", "certs", "all", "--config", theirs)
	for _, name := range []string{"admin", "scheduler"} {
		k.run("init", "phase", "kubeconfig", name, "--config", theirs)
	}
	for _, form := range []string{"text", "json", "yaml", "kyaml", "jsonpath={.certificates[*].name}", "go-template={{range .certificateAuthorities}}{{.expirationDate}}{{end}}"} {
		sameExpirations(t, k, "-o", form)
	}
	theirs, ours = k.config("etcd: {external: {endpoints: [\"https://192.0.2.1:2379\"], caFile: /a, certFile: /b, keyFile: /c}}\n")
	want := residual.ReplaceAllString(k.run("certs", "check-expiration", "-o", "json", "--config", theirs), "$1...")
	_, got, _ := m.run("certs", "check-expiration", "-o", "json", "--config", ours)
	if diff := cmp.Diff(want, residual.ReplaceAllString(got, "$1...")); diff != "" || strings.Contains(got, "etcd") {
		t.Errorf("with somebody else's etcd:\n%s", diff)
	}
}

// TestRequestsLikeKubeadm makes the same files, with the same modes, subjects and names.
func TestRequestsLikeKubeadm(t *testing.T) {
	t.Parallel()
	const cluster = "encryptionAlgorithm: ECDSA-P256\napiServer: {certSANs: [b.example, a.example, 192.0.2.9]}\netcd: {local: {peerCertSANs: [peer.example]}}\n"
	them, us := newMachine(t, nil, "node-1"), newMachine(t, nil, "node-1")
	k := newKubeadmBelow(t, them)
	theirs, _ := k.config(cluster)
	_, ours := (&kubeadmBelow{m: us}).config(cluster)
	k.run("certs", "generate-csr", "--config", theirs)
	joined(t, us, "certs", "generate-csr", "--config", ours)
	want, _ := certificates(t, them)
	got, keys := certificates(t, us)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-kubeadm +kubewright:\n%s", diff)
	}
	secret := regexp.MustCompile(`(?m)(-data:|SHA256:) \S+$`)
	files := func(m *fakeMachine) map[string]string {
		tree := map[string]string{}
		for path, text := range m.tree() {
			if filepath.Dir(path) == "/etc/kubernetes/pki/etcd" || filepath.Ext(path) == ".key" || filepath.Ext(path) == ".csr" {
				text, _, _ = strings.Cut(text, " ")
			}
			if strings.HasPrefix(path, "/etc/kubernetes") {
				tree[path] = secret.ReplaceAllString(text, "$1 ...")
			}
		}
		return tree
	}
	if diff := cmp.Diff(files(them), files(us)); diff != "" {
		t.Errorf("-kubeadm +kubewright:\n%s", diff)
	}
	// A second time everything is kept, but for a request that is gone.
	if err := us.host.Remove("/etc/kubernetes/pki/apiserver.csr"); err != nil {
		t.Fatal(err)
	}
	tree := us.tree()
	joined(t, us, "certs", "generate-csr", "--config", ours)
	_, again := certificates(t, us)
	if len(again) != len(keys) {
		t.Errorf("%d requests, then %d", len(keys), len(again))
	}
	if changed := changedPaths(tree, us.tree()); len(changed) != 1 || changed[0] != "/etc/kubernetes/pki/apiserver.csr" {
		t.Errorf("changed: %v", changed)
	}
}

// TestUserLikeKubeadm prints the same kubeconfigs, but for keys and times.
func TestUserLikeKubeadm(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil, "node-1")
	k := newKubeadmBelow(t, m)
	theirs, ours := k.config("encryptionAlgorithm: ECDSA-P256\nclusterName: blue\ncontrolPlaneEndpoint: cluster.example:7443\n")
	k.run("init", "phase", "certs", "ca", "--config", theirs)
	secret := regexp.MustCompile(`(?m)(client-(key|certificate)-data:) \S+$`)
	for i, args := range [][]string{
		{"--client-name", "jane", "--org", "a,b", "--org", "c", "--validity-period", "30h"},
		{"--client-name", "jane", "--token", "0123"},
	} {
		want := k.run(append([]string{"kubeconfig", "user", "--config", theirs}, args...)...)
		code, got, stderr := m.run(append([]string{"kubeconfig", "user", "--config", ours}, args...)...)
		if diff := cmp.Diff(secret.ReplaceAllString(strings.TrimSpace(want), "$1"), secret.ReplaceAllString(strings.TrimSpace(got), "$1")); code != 0 || diff != "" {
			t.Errorf("exit code %d %s\n%s", code, stderr, diff)
		}
		if i > 0 {
			continue
		}
		for path, text := range map[string]string{"/etc/kubernetes/a.conf": want, "/etc/kubernetes/b.conf": got} {
			if err := os.WriteFile(m.host.Root+path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		profiles, _ := certificates(t, m)
		if profiles["/etc/kubernetes/a.conf"] != profiles["/etc/kubernetes/b.conf"] || !strings.Contains(profiles["/etc/kubernetes/b.conf"], "CN=jane,O=a+O=b+O=c") {
			t.Errorf("-kubeadm +kubewright:\n%s\n%s", profiles["/etc/kubernetes/a.conf"], profiles["/etc/kubernetes/b.conf"])
		}
	}
	form := regexp.MustCompile(`^[0-9a-f]{64}\n$`)
	if code, key, _ := m.run("certs", "certificate-key"); code != 0 || !form.MatchString(key) || !form.MatchString(k.run("certs", "certificate-key")) {
		t.Errorf("certificate key %q, exit code %d", key, code)
	}
}
