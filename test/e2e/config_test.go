package e2e

import (
	"strings"
	"testing"

	"github.com/kubewright/kubewright/test/bed"
)

// checkConfig works on the file that made the machine, with both tools.
func checkConfig(t *testing.T, m *bed.Machine) {
	const file, migrated = configPath, "/root/migrated.yaml"
	ours := m.MustRun(t, "kubewright", "config", "images", "list", "--config", file)
	if theirs := m.MustRun(t, "kubeadm", "config", "images", "list", "--config", file); ours != theirs {
		t.Errorf("the tools list different images:\n%s\n%s", ours, theirs)
	}
	pulled := m.MustRun(t, "kubewright", "config", "images", "pull", "--config", file)
	for image := range strings.FieldsSeq(ours) {
		if !strings.Contains(pulled, "[config/images] Already here: "+image+"\n") {
			t.Errorf("%s is not here:\n%s", image, pulled)
		}
	}
	m.MustRun(t, "kubewright", "config", "migrate", "--old-config", file, "--new-config", migrated)
	for _, tool := range []string{"kubewright", "kubeadm"} {
		if got := m.MustRun(t, tool, "config", "validate", "--config", migrated); got != "ok\n" {
			t.Errorf("%s says of the migrated file: %s", tool, got)
		}
	}
}
