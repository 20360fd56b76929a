package plan_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
