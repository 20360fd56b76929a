package phases

import (
	"context"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// TestDryRunNeedsNoRoot: on a machine that is set up, a user sees a plan that says what can't be told, and no error.
func TestDryRunNeedsNoRoot(t *testing.T) {
	h := hosttest.New(t)
	if _, err := render(t, h); err != nil {
		t.Fatal(err)
	}
	secret := []string{config.DefaultCertificatesDir + "/ca.key", config.DefaultCertificatesDir + "/sa.key", config.AdminKubeconfig,
		config.KubeletKubeconfig, manifestPath(config.APIServer)}
	hosttest.Close(t, h, secret...)
	var items []plan.Item
	err := hosttest.AsNobody(func() error {
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
	if err := hosttest.AsNobody(func() error {
		f := facts(t, h, minimal)
		_, err := Init().Plan(context.Background(), f)
		return err
	}); err == nil || !strings.HasSuffix(err.Error(), "ca.key: permission denied") {
		t.Errorf("a real run plans without reading: %v", err)
	}
}
