package pki

import (
	"strings"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"

	"github.com/kubewright/kubewright/config"
)

const currentPEM = config.KubeletClientCertificate

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
