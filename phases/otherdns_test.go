package phases

import (
	"context"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/plan/plantest"
)

// TestOtherDNS: nothing is applied to a cluster in which another Deployment serves DNS.
func TestOtherDNS(t *testing.T) {
	ctx := context.Background()
	one, err := Init().Select("addon/coredns")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		there []string
		err   string
	}{
		{[]string{"coredns"}, ""},
		{[]string{"kube-dns"}, "(label k8s-app=kube-dns): kube-dns\n"},
		{[]string{"a", "coredns", "b"}, "(label k8s-app=kube-dns): a, b\n"},
	} {
		api := plantest.NewAPI()
		for _, name := range tc.there {
			d := &appsv1.Deployment{
				TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
				ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name, Labels: map[string]string{"k8s-app": "kube-dns"}},
			}
			if _, err := api.Apply(ctx, d, false); err != nil {
				t.Fatal(err)
			}
		}
		before := api.Writes()
		f := facts(t, hosttest.New(t), minimal)
		f.AdminKubeconfig = "/root/my.conf" // nobody has to be bound
		p, err := one.Plan(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&plan.Runner{Target: &plan.Target{API: api}}).Run(ctx, p)
		switch {
		case tc.err == "" && (err != nil || api.Writes() == before):
			t.Errorf("%v: %d objects were applied, %v", tc.there, api.Writes()-before, err)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || api.Writes() != before):
			t.Errorf("%v: %d objects were applied, %v", tc.there, api.Writes()-before, err)
		}
	}
}
