package cmd

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// kubeadmBelow is real kubeadm for the files below the machine's root alone: it changes its root there.
type kubeadmBelow struct {
	m    *fakeMachine
	path string
}

// newKubeadmBelow skips the test without real kubeadm, and where this is not root.
func newKubeadmBelow(t *testing.T, m *fakeMachine) *kubeadmBelow {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root changes its root")
	}
	return &kubeadmBelow{m: m, path: realKubeadm(t)}
}

// run runs it and returns its stdout.
func (k *kubeadmBelow) run(args ...string) string {
	k.m.t.Helper()
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(k.m.t.Context(), k.path, append(args, "--rootfs", k.m.host.Root)...)
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		k.m.t.Fatalf("kubeadm %s: %v\n%s%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String()
}

// config writes a configuration, and returns where each tool finds it.
func (k *kubeadmBelow) config(cluster string) (theirs, ours string) {
	k.m.write("/etc/conf/kubeadm.yaml", []byte(`apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 192.0.2.10}
nodeRegistration: {name: node-1, criSocket: "unix:///run/containerd/containerd.sock"}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.2
`+cluster))
	return "/etc/conf/kubeadm.yaml", k.m.host.Root + "/etc/conf/kubeadm.yaml"
}

// certificates describes all certificates and requests of a machine, by file, but for what differs each time; keys hold their serial
// numbers, or the request's key.
func certificates(t *testing.T, m *fakeMachine) (profiles map[string]string, keys map[string]string) {
	t.Helper()
	profiles, keys = map[string]string{}, map[string]string{}
	err := filepath.WalkDir(m.host.Root+"/etc/kubernetes", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".key" || filepath.Ext(path) == ".pub" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, m.host.Root)
		profiles[name] = info.Mode().String()
		if filepath.Ext(path) == ".conf" {
			kc, err := clientcmd.Load(data)
			if err != nil {
				return err
			}
			data = kc.AuthInfos[kc.Contexts[kc.CurrentContext].AuthInfo].ClientCertificateData
		}
		if block, _ := pem.Decode(data); block != nil {
			profiles[name] += " " + describeBlock(t, block)
			keys[name] = string(block.Bytes)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return profiles, keys
}

func describeBlock(t *testing.T, block *pem.Block) string {
	t.Helper()
	if block.Type == "CERTIFICATE REQUEST" {
		r, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil || r.CheckSignature() != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(r.Subject, r.PublicKeyAlgorithm, r.DNSNames, r.IPAddresses, len(r.Extensions))
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(c.Subject, c.Issuer, c.PublicKeyAlgorithm, len(c.RawSubjectPublicKeyInfo), c.IsCA, c.KeyUsage, c.ExtKeyUsage,
		c.DNSNames, c.IPAddresses, c.NotAfter.Sub(c.NotBefore).Round(time.Hour))
}

// residual is the only thing that differs between two looks at the same certificates.
var residual = regexp.MustCompile(`(residualTime"?: )(\d+)`)

// sameExpirations compares what both tools tell.
func sameExpirations(t *testing.T, k *kubeadmBelow, args ...string) {
	t.Helper()
	theirs, ours := k.config("")
	about := append([]string{"certs", "check-expiration"}, args...)
	about = append(about, "--config")
	code, stdout, stderr := k.m.run(append(about, ours)...)
	want := k.run(append(about, theirs)...)
	if rough := func(text string) string { return residual.ReplaceAllString(text, "$1...") }; code != 0 || rough(want) != rough(stdout) {
		t.Errorf("%v: exit code %d %s\n-kubeadm +kubewright:\n%s\n%s", args, code, stderr, want, stdout)
	}
}
