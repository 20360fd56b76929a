package phases

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/preflight"
)

// TestAlwaysPullsWhatIsMissing: an image that is there under its tag is the one that the kubelet runs, whatever the policy says.
func TestAlwaysPullsWhatIsMissing(t *testing.T) {
	for _, policy := range []corev1.PullPolicy{corev1.PullAlways, corev1.PullIfNotPresent} {
		f := facts(t, hosttest.New(t), minimal)
		f.Config.Init.NodeRegistration.ImagePullPolicy = policy
		images := f.Config.Images()
		rt := &hosttest.Runtime{}
		rt.SetImages(images[1:]...)
		f.Preflight, f.Runtime = &preflight.Machine{Host: f.Host}, rt
		steps, err := checked(t.Context(), f, true, nil)
		if err != nil || len(steps) != 1 {
			t.Fatalf("%s: %v, %v", policy, steps, err)
		}
		if err := steps[0].Apply(t.Context(), &plan.Target{Runtime: rt}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(images[:1], rt.Pulled()); diff != "" {
			t.Errorf("%s: %s", policy, diff)
		}
	}
}

// TestFailedChecksOfDryRun: a dry run goes on and has the findings in its report; a real run stops before anything is changed.
func TestFailedChecksOfDryRun(t *testing.T) {
	checks := []preflight.Check{
		{Name: "One", Find: func(context.Context) []preflight.Finding { return []preflight.Finding{{Message: "not fit"}} }},
		{Name: "Two", Find: func(context.Context) []preflight.Finding { return []preflight.Finding{{Message: "nor that"}} }},
	}
	for _, dryRun := range []bool{true, false} {
		f := facts(t, hosttest.New(t), minimal)
		f.Preflight, f.Lenient = &preflight.Machine{Host: f.Host}, dryRun
		steps, err := checked(t.Context(), f, true, checks)
		if len(f.PreflightReport.Errors) != 2 || (err == nil) != dryRun || (len(steps) > 0) != dryRun {
			t.Errorf("dry run %t: %v, %v, %+v", dryRun, steps, err, f.PreflightReport)
		}
		if !dryRun && !strings.Contains(err.Error(), "not fit") {
			t.Error(err)
		}
	}
}
