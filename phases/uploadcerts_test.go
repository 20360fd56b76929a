package phases

import (
	"context"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host/hosttest"
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
