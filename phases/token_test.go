package phases

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cluster-bootstrap/token/jws"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/plan/plantest"
)

// TestClusterInfoSigned: a join with a token that is for signing finds cluster-info signed; others leave nothing there.
func TestClusterInfoSigned(t *testing.T) {
	const tokens = "bootstrapTokens:\n- {token: abcdef.0123456789abcdef}\n- {token: aaaaaa.0123456789abcdef, usages: [authentication]}\n"
	f := facts(t, hosttest.New(t), minimal+tokens)
	if _, err := f.PKI.Files("ca"); err != nil {
		t.Fatal(err)
	}
	steps, err := bootstrapToken().Steps(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		o, ok := s.(plan.Object)
		if !ok {
			continue
		}
		info, ok := o.Obj.(*corev1.ConfigMap)
		if !ok {
			continue
		}
		if len(info.Data) != 2 || !jws.DetachedTokenIsValid(info.Data["jws-kubeconfig-abcdef"], info.Data["kubeconfig"], "abcdef", "0123456789abcdef") ||
			!o.KeepExisting {
			t.Errorf("%v", info.Data)
		}
		return
	}
	t.Error("no cluster-info")
}

// TestTokenOfKilledRun: a run that was cut off between its token and cluster-info has made the token for all later ones.
func TestTokenOfKilledRun(t *testing.T) {
	api := plantest.NewAPI()
	apply := func(token string, kinds ...string) {
		t.Helper()
		f := facts(t, hosttest.New(t), minimal+"bootstrapTokens:\n- {token: "+token+", description: made by a machine}\n")
		f.Config.Init.BootstrapTokens[0].Generated = true
		if _, err := f.PKI.Files("ca"); err != nil {
			t.Fatal(err)
		}
		steps, err := bootstrapToken().Steps(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			o := s.(plan.Object)
			c, err := o.Diff(t.Context(), &plan.Target{API: api})
			if err == nil && c.Kind != plan.Same && slices.Contains(kinds, o.Obj.GetObjectKind().GroupVersionKind().Kind) {
				err = o.Apply(t.Context(), &plan.Target{API: api})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	apply("aaaaaa.0123456789abcdef", "Secret")
	apply("bbbbbb.0123456789abcdef", "Secret", "ConfigMap")
	want := []string{"ConfigMap kube-public/cluster-info", "Secret kube-system/bootstrap-token-aaaaaa"}
	if names := api.Names(); !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
	info, err := api.Live(t.Context(), &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-public", Name: "cluster-info"},
	})
	if text := fmt.Sprint(info); err != nil || !strings.Contains(text, "jws-kubeconfig-aaaaaa") || strings.Contains(text, "jws-kubeconfig-bbbbbb") {
		t.Errorf("%v %s", err, text)
	}
}
