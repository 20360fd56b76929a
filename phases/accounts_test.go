package phases

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/plan/plantest"
)

// theAccounts is the step of a plan with the usual command line.
func theAccounts(t *testing.T) plan.Step {
	t.Helper()
	f := facts(t, hosttest.New(t), minimal)
	pod, err := staticPod(f, manager.name, manager.build)
	if err != nil {
		t.Fatal(err)
	}
	step := controllerAccounts(f, pod)
	if step == nil {
		t.Fatal("no step")
	}
	return step
}

// TestControllerAccounts: in a new cluster those that are missing are made; where a controller manager has led, and on a machine that
// starts slowly, none is.
func TestControllerAccounts(t *testing.T) {
	count := func(api *plantest.API) (n int) {
		for _, name := range api.Names() {
			if strings.HasPrefix(name, "ServiceAccount kube-system/") {
				n++
			}
		}
		return n
	}
	step, api := theAccounts(t), plantest.NewAPI()
	target := &plan.Target{API: api}
	if _, err := api.Apply(t.Context(), serviceAccountOf(t, "node-controller"), false); err != nil {
		t.Fatal(err)
	}
	if c, err := step.Diff(t.Context(), target); err != nil || c.Kind != plan.Run {
		t.Fatalf("%v, %v", c, err)
	}
	if err := step.Apply(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if n := count(api); n != 40 || api.Writes() != 40 {
		t.Errorf("%d accounts after %d writes", n, api.Writes())
	}
	if c, err := step.Diff(t.Context(), target); err != nil || c.Kind != plan.Same {
		t.Errorf("%v, %v", c, err)
	}

	led := plantest.NewAPI()
	lease := &coordinationv1.Lease{
		TypeMeta:   metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-controller-manager"},
	}
	if _, err := led.Apply(t.Context(), lease, false); err != nil {
		t.Fatal(err)
	}
	if c, err := step.Diff(t.Context(), &plan.Target{API: led}); err != nil || c.Kind != plan.Same {
		t.Errorf("%v, %v", c, err)
	}

	h := hosttest.New(t)
	slow := &plan.Target{Host: h, Systemd: kubeletFor(h, 2*startSoon), API: plantest.NewAPI()}
	if c, err := step.Diff(t.Context(), slow); err != nil || c.Kind != plan.Same {
		t.Errorf("%v, %v", c, err)
	}
}

func serviceAccountOf(t *testing.T, name string) runtime.Object {
	t.Helper()
	f := facts(t, hosttest.New(t), minimal)
	all := manifests.ControllerAccounts(f.Config.Version(), manifests.ControllerManager(f.Node).Spec.Containers[0].Command)
	for _, account := range all {
		if account.Name == name {
			return account
		}
	}
	t.Fatalf("no account %s", name)
	return nil
}

// TestControllerAccountsPatched: a patch decides like a flag what the controller manager runs, and one that leaves no container is none
// of this step's business.
func TestControllerAccountsPatched(t *testing.T) {
	const usual = "spec: {containers: [{command: [kube-controller-manager, '--controllers=*,bootstrapsigner,tokencleaner', " +
		"--use-service-account-credentials=true"
	if controllerAccounts(facts(t, hosttest.New(t), minimal), []plan.Step{plan.File{Data: []byte(usual + "]}]}")}}) == nil {
		t.Error("none for the usual command line")
	}
	for _, data := range []string{
		"spec: {containers: [{command: [kube-controller-manager, --controllers=*]}]}",
		usual + "], args: [--controllers=*]}]}", "spec: {}", "[",
	} {
		if step := controllerAccounts(facts(t, hosttest.New(t), minimal), []plan.Step{plan.File{Data: []byte(data)}}); step != nil {
			t.Errorf("%s: %s", data, step)
		}
	}
}

// refusing is an API server that refuses to write some ServiceAccounts.
type refusing struct{ *plantest.API }

func (r refusing) Apply(ctx context.Context, obj runtime.Object, dryRun bool) (runtime.Object, error) {
	if m, ok := obj.(metav1.Object); ok && slices.Contains([]string{"node-controller", "ttl-controller"}, m.GetName()) {
		return nil, errors.New("not " + m.GetName())
	}
	return r.API.Apply(ctx, obj, dryRun)
}

// TestControllerAccountsRefused: what can't be made is named, the others are made, and the step does not end the run.
func TestControllerAccountsRefused(t *testing.T) {
	step, api := theAccounts(t), plantest.NewAPI()
	err := step.Apply(t.Context(), &plan.Target{API: refusing{api}})
	if err == nil || err.Error() != "not node-controller\nnot ttl-controller" {
		t.Errorf("%v", err)
	}
	if len(api.Names()) != 38 {
		t.Errorf("%d are made", len(api.Names()))
	}
	if !step.(plan.Do).Optional {
		t.Error("the run would end")
	}
}
