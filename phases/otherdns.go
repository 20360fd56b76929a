package phases

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// aloneDNS lets the first of CoreDNS's objects ask whether another Deployment serves DNS, so that nothing of the addon is applied then.
func aloneDNS(steps []plan.Step) []plan.Step {
	first, ok := steps[0].(plan.Object)
	if ok {
		first.Unless = func(ctx context.Context, api plan.API) (bool, error) { return false, onlyDNS(ctx, api) }
		steps[0] = first
	}
	return steps
}

// onlyDNS refuses a cluster in which another Deployment serves DNS: both would answer under the one address. kubeadm makes
// the second one, and refuses when it runs again.
func onlyDNS(ctx context.Context, api plan.API) error {
	like := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: config.CoreDNS},
	}
	list, err := api.List(ctx, like, map[string]string{"k8s-app": "kube-dns"})
	if err != nil {
		return err
	}
	var others []string
	for _, o := range list {
		m, err := meta.Accessor(o)
		if err != nil {
			return err
		}
		if m.GetName() != config.CoreDNS {
			others = append(others, m.GetName())
		}
	}
	if others == nil {
		return nil
	}
	return fmt.Errorf("cannot install CoreDNS: other Deployments in kube-system serve DNS (label k8s-app=kube-dns): %s\n"+
		"delete them; or keep them and leave CoreDNS out: --skip-phases=addon/coredns", strings.Join(others, ", "))
}
