package cmd

import (
	"context"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/config"
)

// TestLabelWithoutNetwork: a label that can't be looked up is this release's version, unless it insists on another minor.
func TestLabelWithoutNetwork(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody is asked
	for label, want := range map[string]string{
		"": "", "stable-1": config.DefaultKubernetesVersion, "latest": config.DefaultKubernetesVersion, "v1.36.1": "",
		"stable-1.36": "error", "ci/v1.37.3-rc.0.12+abcdef0123": "v1.37.3-rc.0.12+abcdef0123",
	} {
		c := config.New()
		c.Cluster.KubernetesVersion = label
		got, err := resolveVersion(ctx, c)
		if err != nil {
			got = "error"
		}
		warned := len(c.Warnings) > 0 && strings.Contains(c.Warnings[0], label) && strings.Contains(c.Warnings[0], "taking "+want)
		if got != want || warned != (want == config.DefaultKubernetesVersion) {
			t.Errorf("%s: %q, %v, %v", label, got, err, c.Warnings)
		}
	}
}
