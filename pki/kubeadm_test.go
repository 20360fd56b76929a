package pki

import (
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The directory in which `kubeadm init --dry-run` left its files (KUBEADM_INIT_DRYRUN_DIR), to record them anew.
var kubeadmDir = flag.String("kubeadm", "", "record what kubeadm made, in this directory, of the configuration in TestLikeKubeadm")

const likeKubeadm = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 192.0.2.10}
nodeRegistration: {name: node-1}
`

// TestLikeKubeadm compares certificates, but for keys and times, and kubeconfigs, but for what is in their data, with those
// that kubeadm v1.37.2 made.
func TestLikeKubeadm(t *testing.T) {
	const golden = "testdata/kubeadm.txt"
	if *kubeadmDir != "" {
		text := describe(t, func(path string) []byte {
			data, err := os.ReadFile(filepath.Join(*kubeadmDir, strings.TrimPrefix(path, strings.TrimSuffix(pkiDir, "/"))))
			if err != nil {
				data, err = os.ReadFile(filepath.Join(*kubeadmDir, filepath.Base(path)))
			}
			if err != nil {
				t.Fatal(err)
			}
			return data
		})
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := made(t, likeKubeadm)
	got := describe(t, func(path string) []byte { return d.files[path] })
	// The kubelet's certificate is a file of its own from the start (docs/differences.md).
	got = strings.ReplaceAll(got, "client-certificate: "+currentPEM, "client-certificate-data: ...")
	got = strings.ReplaceAll(got, "client-key: "+currentPEM, "client-key-data: ...")
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-kubeadm +kubewright:\n%s", diff)
	}
}

func describe(t *testing.T, read func(path string) []byte) string {
	t.Helper()
	var b strings.Builder
	for _, row := range Certificates() {
		if row.Name == saRow {
			continue
		}
		cert, err := parseCert(read(row.certPath(strings.TrimSuffix(pkiDir, "/"))))
		if err != nil {
			t.Fatalf("%s: %v", row.Name, err)
		}
		fmt.Fprintf(&b, "%s: %s\n", row.Name, profile(cert))
	}
	data := regexp.MustCompile(`(?m)-data: \S+$`)
	for _, row := range Kubeconfigs() {
		fmt.Fprintf(&b, "--- %s\n%s", row.file, data.ReplaceAllString(string(read("/etc/kubernetes/"+row.file)), "-data: ..."))
	}
	return b.String()
}

func profile(c *x509.Certificate) string {
	return fmt.Sprintf("subject %s, issuer %s, CA %t %d, usages %b %v, names %v %v", c.Subject, c.Issuer, c.IsCA, c.MaxPathLen,
		c.KeyUsage, c.ExtKeyUsage, c.DNSNames, c.IPAddresses)
}
