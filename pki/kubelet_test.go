package pki

import (
	"bytes"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"

	"github.com/kubewright/kubewright/config"
)

const currentPEM = config.KubeletPKIDir + "/" + config.KubeletClientLink

// embedded gives the disk a kubelet.conf as kubeadm writes it first: with its own copy of certificate and key.
func embedded(t *testing.T, d *disk) {
	t.Helper()
	c := loadConfig(t, plain)
	s := d.set(t, c, now)
	row := Kubeconfigs()[2]
	ca, _, err := s.signer(row)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := d.read(currentPEM)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(pem), "-----BEGIN EC")
	data, err := s.encodeKubeconfig(row, ca, clientcmdapi.AuthInfo{ClientCertificateData: pem[:at], ClientKeyData: pem[at:]})
	if err != nil {
		t.Fatal(err)
	}
	d.files["/etc/kubernetes/kubelet.conf"] = data
}

func TestFinalizeLeavesOursAlone(t *testing.T) {
	d, c := made(t, plain)
	files, err := d.set(t, c, now).KubeletFinalize()
	if err != nil || files != nil {
		t.Errorf("%v %v", files, err)
	}
}

func TestFinalizeTurnsKubeadmsRound(t *testing.T) {
	d, c := made(t, plain)
	embedded(t, d)
	s := d.set(t, c, now)
	if kept, err := s.Files("kubelet"); err != nil || len(kept) != 1 || kept[0].Why != "" {
		t.Fatalf("kubeadm's kubelet.conf is not kept: %v %v", kept, err)
	}
	files, err := s.KubeletFinalize()
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	kc, err := parseKubeconfig(files[0].Data)
	if err != nil || kc.auth.ClientCertificate != currentPEM || kc.auth.ClientKeyData != nil {
		t.Errorf("%+v %v", kc.auth, err)
	}
	d.write(files, 1)
	if files, err = d.set(t, c, now).KubeletFinalize(); err != nil || files != nil {
		t.Errorf("a second time: %v %v", files, err)
	}
}

func TestFinalizeWithoutRotation(t *testing.T) {
	d, c := made(t, plain)
	embedded(t, d)
	remove(currentPEM)(d)
	if files, err := d.set(t, c, now).KubeletFinalize(); err != nil || files != nil {
		t.Errorf("%v %v", files, err)
	}
}

func TestInterruptedKubeletUsesItsPEM(t *testing.T) {
	d, c := made(t, plain)
	delete(d.files, "/etc/kubernetes/kubelet.conf")
	files, err := d.set(t, c, now.Add(time.Hour)).Files("kubelet")
	if err != nil || len(files) != 1 || !strings.HasSuffix(files[0].Path, "kubelet.conf") {
		t.Errorf("%v %v", files, err)
	}
}

// TestInterruptedBeforeTheLink: the dated PEM that a crash left is used, not joined by another one.
func TestInterruptedBeforeTheLink(t *testing.T) {
	c := loadConfig(t, plain)
	d := newDisk()
	first := all(t, d.set(t, c, now))
	d.write(first, slices.IndexFunc(first, func(f File) bool { return f.Link != "" }))
	files, err := d.set(t, c, now.Add(time.Hour)).Files("kubelet")
	if err != nil || len(files) != 3 || files[0].Path != "/var/lib/kubelet/pki/kubelet-client-2026-11-24-11-55-00.pem" ||
		!bytes.Equal(files[0].Data, d.files[files[0].Path]) {
		t.Errorf("%v %v", files, err)
	}
}

const certDir = plain + "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n" +
	"nodeRegistration: {kubeletExtraArgs: [{name: cert-dir, value: /x}]}\n"

// TestCertDir follows the kubelet's flag: to a fresh directory, and away from the usual one.
func TestCertDir(t *testing.T) {
	moved, _ := made(t, plain)
	for name, d := range map[string]*disk{"fresh": newDisk(), "moved": moved} {
		c := loadConfig(t, certDir)
		files := all(t, d.set(t, c, now))
		d.write(files, len(files))
		kc, err := parseKubeconfig(d.files["/etc/kubernetes/kubelet.conf"])
		if err != nil || kc.auth.ClientCertificate != "/x/kubelet-client-current.pem" || kc.auth.ClientKey != kc.auth.ClientCertificate {
			t.Errorf("%s: kubelet.conf refers to %q, %v", name, kc.auth.ClientCertificate, err)
		}
		if pem, err := d.read("/x/kubelet-client-current.pem"); err != nil || !strings.Contains(string(pem), "PRIVATE KEY") {
			t.Errorf("%s: the link leads to no key: %v", name, err)
		}
		if files, err := d.set(t, c, now.Add(time.Hour)).Files("kubelet"); err != nil || len(files) != 1 || files[0].Why != "" {
			t.Errorf("%s: the next run wants %v, %v", name, files, err)
		}
	}
}

func TestFinalizeInCertDir(t *testing.T) {
	d, _ := made(t, plain)
	embedded(t, d)
	pem, _ := d.read(currentPEM)
	d.files["/x/kubelet-client-current.pem"] = pem
	files, err := d.set(t, loadConfig(t, certDir), now).KubeletFinalize()
	if err != nil || len(files) != 1 || !strings.Contains(string(files[0].Data), "client-certificate: /x/kubelet-client-current.pem") {
		t.Errorf("%v %v", files, err)
	}
}

const otherNode = plain + "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nnodeRegistration: {name: other}\n"

// TestKubeconfigForElsewhere: a kubeconfig in another directory is for another machine, so nothing of this one changes.
func TestKubeconfigForElsewhere(t *testing.T) {
	d, _ := made(t, plain)
	c := loadConfig(t, otherNode)
	in := Input{Config: c, Read: d.read, Now: now, Rand: rand.Reader, KubeconfigDir: "/tmp/out"}
	files, err := Plan(in).Files("kubelet")
	if err != nil || len(files) != 1 || files[0].Path != "/tmp/out/kubelet.conf" {
		t.Fatalf("%v %v", files, err)
	}
	kc, err := parseKubeconfig(files[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := parseCert(kc.auth.ClientCertificateData)
	if err != nil || nodeOf(cert) != "other" || len(kc.auth.ClientKeyData) == 0 {
		t.Errorf("it is for %v, %v", cert, err)
	}
	d.write(files, 1)
	if files, err = Plan(in).Files("kubelet"); err != nil || len(files) != 1 || files[0].Why != "" {
		t.Errorf("a second time: %v %v", files, err)
	}
	in.KubeconfigDir = "/etc/kubernetes/"
	in.Config = loadConfig(t, plain)
	if files, err = Plan(in).Files("kubelet"); err != nil || len(files) != 1 || files[0].Why != "" {
		t.Errorf("the usual directory with a slash at its end: %v %v", files, err)
	}
}

func TestLinkOfAnotherNodeIsNotReplaced(t *testing.T) {
	d, _ := made(t, plain)
	delete(d.files, "/etc/kubernetes/kubelet.conf")
	_, err := d.set(t, loadConfig(t, otherNode), now).Files("kubelet")
	if err == nil || !strings.Contains(err.Error(), "cannot replace "+currentPEM+": it is the certificate of node cp1") {
		t.Errorf("error %v", err)
	}
}

func put(path, text string) func(*disk) {
	return func(d *disk) { d.files[path] = []byte(text) }
}

func half(path string) func(*disk) {
	return func(d *disk) { d.files[path] = d.files[path][:len(d.files[path])/2] }
}

func remove(paths ...string) func(*disk) {
	return func(d *disk) {
		for _, p := range paths {
			delete(d.files, p)
			delete(d.links, p)
		}
	}
}

func copied(from, to string) func(*disk) {
	return func(d *disk) { d.files[to] = d.files[from] }
}

// foreign puts files of another cluster there.
func foreign(t *testing.T, paths ...string) func(*disk) {
	return func(d *disk) {
		other, _ := made(t, plain)
		for _, p := range paths {
			d.files[p] = other.files[p]
		}
	}
}

func otherPublic(t *testing.T) []byte {
	d, _ := made(t, plain)
	return d.files[pkiDir+"sa.pub"]
}
