package plan_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/plan/plantest"
)

// TestFill applies an object that needs another one's name: it waits for the other, and is right afterwards.
func TestFill(t *testing.T) {
	ctx := context.Background()
	named := func(name string) *corev1.ConfigMap {
		return &corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name},
		}
	}
	owner, owned := named("owner"), named("owned")
	step := plan.Object{Obj: owned, Fill: func(ctx context.Context, api plan.API) error {
		live, err := api.Live(ctx, owner)
		if err == nil && live == nil {
			err = errors.New("there is no owner")
		}
		owned.Data = map[string]string{"owner": "owner"}
		return err
	}}
	tg := &plan.Target{API: plantest.NewAPI()}
	if err := step.Apply(ctx, tg); err == nil || !strings.Contains(err.Error(), "cannot apply ConfigMap kube-system/owned: there is no owner") {
		t.Errorf("without its owner: %v", err)
	}
	if _, err := tg.API.Apply(ctx, owned, false); err != nil {
		t.Fatal(err)
	}
	if c, err := step.Diff(ctx, tg); err != nil || c.Kind != plan.Update {
		t.Errorf("there, but without its owner: %v %v", c, err)
	}
	if err := (plan.Object{Obj: owner}).Apply(ctx, tg); err != nil {
		t.Fatal(err)
	}
	if err := step.Apply(ctx, tg); err != nil {
		t.Fatal(err)
	}
	if c, err := step.Diff(ctx, tg); err != nil || c.Kind != plan.Same {
		t.Errorf("afterwards: %v %v", c, err)
	}
}

// counting counts the questions and the requests to apply.
type counting struct {
	*plantest.API
	live, dry, applied int
}

func (c *counting) Live(ctx context.Context, obj runtime.Object) (runtime.Object, error) {
	c.live++
	return c.API.Live(ctx, obj)
}

func (c *counting) Apply(ctx context.Context, obj runtime.Object, dryRun bool) (runtime.Object, error) {
	if dryRun {
		c.dry++
	} else {
		c.applied++
	}
	return c.API.Apply(ctx, obj, dryRun)
}

// TestObjectRequests: a new object costs two requests, one that changes three, and one that is right two that change nothing.
func TestObjectRequests(t *testing.T) {
	tg := newTarget(t)
	api := &counting{API: plantest.NewAPI()}
	tg.API = api
	for _, tc := range []struct {
		name, value        string
		live, dry, applied int
	}{
		{"new", "1", 1, 0, 1},
		{"changed", "2", 1, 1, 1},
		{"right", "2", 1, 1, 0},
	} {
		*api = counting{API: api.API}
		cm := configMap("a")
		cm.Data = map[string]string{"value": tc.value}
		p := plan.Plan{Sections: []plan.Section{{Phase: "upload", Steps: []plan.Step{plan.Object{Obj: cm}}}}}
		if _, err := newRunner(tg).Run(t.Context(), p); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if api.live != tc.live || api.dry != tc.dry || api.applied != tc.applied {
			t.Errorf("%s: asked %d times, as if %d times, applied %d times; want %d, %d, %d", tc.name, api.live, api.dry, api.applied,
				tc.live, tc.dry, tc.applied)
		}
	}
}
