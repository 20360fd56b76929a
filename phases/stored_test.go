package phases

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
)

// TestSkippedAddonIsStoredAsDisabled: an addon that init leaves out is not installed by an upgrade to come, of either tool.
func TestSkippedAddonIsStoredAsDisabled(t *testing.T) {
	for skip, want := range map[string][2]bool{
		"": {}, "mark-control-plane": {}, "addon/coredns": {true, false}, "addon/kube-proxy": {false, true}, "addon": {true, true},
	} {
		f := facts(t, hosttest.New(t), minimal)
		f.AdminKubeconfig = "/root/my.conf" // nobody has to be bound
		if skip != "" {
			f.Skip = []string{skip}
		}
		one, err := Init().Select("upload-config/kubeadm")
		if err != nil {
			t.Fatal(err)
		}
		p, err := one.Plan(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, step := range p.Sections[0].Steps {
			cm, ok := step.(plan.Object).Obj.(*corev1.ConfigMap)
			if !ok {
				continue
			}
			found = true
			text := cm.Data["ClusterConfiguration"]
			got := [2]bool{strings.Contains(text, "dns:\n  disabled: true\n"), strings.Contains(text, "proxy:\n  disabled: true\n")}
			if got != want {
				t.Errorf("without %q: dns and proxy disabled: %v, want %v\n%s", skip, got, want, text)
			}
		}
		if !found {
			t.Errorf("without %q no ConfigMap is stored", skip)
		}
	}
}
