package phases

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/plan/plantest"
)

// TestAddonKeepsWhatPeopleChange scales CoreDNS and edits its Corefile: another init leaves both alone.
func TestAddonKeepsWhatPeopleChange(t *testing.T) {
	ctx := context.Background()
	api := plantest.NewAPI()
	run := func() int {
		one, err := Init().Select("addon/coredns")
		if err != nil {
			t.Fatal(err)
		}
		f := facts(t, hosttest.New(t), minimal)
		f.AdminKubeconfig = "/root/my.conf" // nobody has to be bound
		p, err := one.Plan(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		changes, err := (&plan.Runner{Target: &plan.Target{API: api}}).Run(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range p.Sections[0].Steps {
			switch o := step.(plan.Object).Obj.(type) {
			case *appsv1.Deployment:
				o.Spec.Replicas = ptr.To(int32(5))
				if _, err := api.Apply(ctx, o, false); err != nil {
					t.Fatal(err)
				}
			case *corev1.ConfigMap:
				o.Data["Corefile"] = "example.org {}"
				if _, err := api.Apply(ctx, o, false); err != nil {
					t.Fatal(err)
				}
			}
		}
		return changes
	}
	if first := run(); first == 0 {
		t.Fatal("the first run installed nothing")
	}
	if second := run(); second != 0 {
		t.Errorf("the second run changed %d objects", second)
	}
}
