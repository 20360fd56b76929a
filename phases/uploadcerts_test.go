package phases

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/plan/plantest"
)

// TestUploadNeedsEveryKey: a CA whose key is kept elsewhere can't be given to other nodes, whichever CA it is.
func TestUploadNeedsEveryKey(t *testing.T) {
	for _, name := range []string{"ca.key", "front-proxy-ca.key", "etcd/ca.key"} {
		h := hosttest.New(t)
		if _, err := render(t, h); err != nil {
			t.Fatal(err)
		}
		path := config.DefaultCertificatesDir + "/" + name
		if err := h.Remove(path); err != nil {
			t.Fatal(err)
		}
		f := facts(t, h, minimal)
		f.UploadCerts, f.CertificateKey = true, make([]byte, 32)
		_, err := Init().Plan(context.Background(), f)
		if err == nil || !strings.HasPrefix(err.Error(), "upload-certs: cannot upload certificates: ") || !strings.Contains(err.Error(), "\n  "+path+"\n") {
			t.Errorf("%s is missing: %v", name, err)
		}
	}
}

// TestUploadedCertsAreKept: a run that keeps what is there makes no key worthless that was printed; one that is given a key, or is to
// upload, uploads.
func TestUploadedCertsAreKept(t *testing.T) {
	h, api := hosttest.New(t), plantest.NewAPI()
	if _, err := render(t, h); err != nil {
		t.Fatal(err)
	}
	upload := func(key byte, given, keep bool) (changes int, opens bool) {
		t.Helper()
		one, err := Init().Select("upload-certs")
		if err != nil {
			t.Fatal(err)
		}
		f := facts(t, h, minimal)
		f.UploadCerts, f.CertificateKey, f.CertificateKeyGiven, f.KeepCerts = true, bytes.Repeat([]byte{key}, 32), given, keep
		f.AdminKubeconfig = "/root/my.conf" // nobody has to be bound
		p, err := one.Plan(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if changes, err = (&plan.Runner{Target: &plan.Target{API: api}}).Run(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		live, err := api.Live(t.Context(), p.Sections[0].Steps[len(p.Sections[0].Steps)-1].(plan.Object).Obj)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := asSecret(live)
		if err != nil {
			t.Fatal(err)
		}
		return changes, manifests.CertsMatch(secret, f.Config, f.PKI.Data, f.CertificateKey)
	}
	for _, run := range []struct {
		about       string
		key         byte
		given, keep bool
		changes     bool
		opens       bool // the key of this run opens what is there afterwards
	}{
		{"the first", 1, false, true, true, true},
		{"again", 2, false, true, false, false},
		{"the key that is in use", 1, true, false, false, true},
		{"another key", 3, true, false, true, true},
		{"the phase alone", 4, false, false, true, true},
	} {
		if changes, opens := upload(run.key, run.given, run.keep); (changes > 0) != run.changes || opens != run.opens {
			t.Errorf("%s: %d changes, its key opens what is there: %t", run.about, changes, opens)
		}
	}
}
