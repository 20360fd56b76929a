package phases

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// asNobody calls f as a user who may not read what only its owner may.
func asNobody(t *testing.T, f func() error) error {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		var err error
		if os.Geteuid() == 0 {
			err = unix.Setfsuid(65534)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// TestDryRunNeedsNoRoot: on a machine that is set up, a user sees a plan that says what can't be told, and no error.
func TestDryRunNeedsNoRoot(t *testing.T) {
	h := hosttest.New(t)
	if _, err := render(t, h); err != nil {
		t.Fatal(err)
	}
	secret := []string{config.DefaultCertificatesDir + "/ca.key", config.DefaultCertificatesDir + "/sa.key", config.AdminKubeconfig,
		config.KubeletKubeconfig, manifestPath(config.APIServer)}
	if os.Geteuid() == 0 { // the way to the temporary directory must be open to nobody
		for dir := filepath.Dir(h.Root); dir != filepath.Clean(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	} else { // its owner may read it, unless it is like this
		for _, path := range secret {
			if err := os.Chmod(h.Root+path, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	var items []plan.Item
	err := asNobody(t, func() error {
		f := facts(t, h, minimal)
		f.Lenient, f.UploadCerts, f.CertificateKey = true, true, make([]byte, 32)
		p, err := Init().Plan(context.Background(), f)
		if err != nil {
			return err
		}
		if f.PKI.ExternalCA() {
			t.Error("a CA whose key can't be read counts as external")
		}
		items, err = p.Preview(context.Background(), &plan.Target{Host: h, Systemd: systemdtest.New(), Elsewhere: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range secret {
		told := false
		for _, it := range items {
			if it.Step.String() == "file "+path && it.Change.Kind == plan.Unknown {
				told = strings.Contains(it.Change.Why, "permission denied") && strings.HasSuffix(it.Change.Why, "(root can tell)")
			}
		}
		if !told {
			t.Errorf("%s is not said to be unknown", path)
		}
	}
	if text := plan.Text(items, plan.TextOptions{}); !strings.Contains(text, "that can't be told yet") {
		t.Errorf("the summary does not say so:\n%s", text)
	}
	if err := asNobody(t, func() error {
		f := facts(t, h, minimal)
		_, err := Init().Plan(context.Background(), f)
		return err
	}); err == nil || !strings.HasSuffix(err.Error(), "ca.key: permission denied") {
		t.Errorf("a real run plans without reading: %v", err)
	}
}
