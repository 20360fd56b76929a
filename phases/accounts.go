package phases

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// accountsAtOnce is how many requests are under way together.
const accountsAtOnce = 8

// controllerAccounts makes the ServiceAccounts that the controller manager of a new cluster would make for its controllers, in time for
// it. It would ask for each whether it is there and make it, one after the other, at no more than twenty requests in a second: before
// the first controller runs, that takes five seconds, and one second where they are there. A machine that starts slowly does not send
// so many, and has better things to do then. nil means that it makes them itself.
func controllerAccounts(f *Facts, manifest []plan.Step) plan.Step {
	accounts := manifests.ControllerAccounts(f.Config.Version(), commandOf(manifest))
	if len(accounts) == 0 {
		return nil
	}
	return plan.Do{
		Name:     "make the ServiceAccounts of kube-controller-manager's controllers",
		NeedsAPI: true,
		Passing:  true, // every cluster has them
		Optional: true, // it makes those that are missing
		Done: func(ctx context.Context, t *plan.Target) (bool, error) {
			if startsSlowly(ctx, t) {
				return true, nil
			}
			missing, err := missingAccounts(ctx, t.API, accounts)
			if err != nil || len(missing) == 0 {
				return err == nil, err
			}
			return hasLed(ctx, t.API)
		},
		Run: func(ctx context.Context, t *plan.Target) error {
			missing, err := missingAccounts(ctx, t.API, accounts)
			if err != nil {
				return err
			}
			return plan.EachAtOnce(len(missing), accountsAtOnce, func(i int) error {
				_, err := t.API.Apply(ctx, missing[i], false)
				return err
			})
		},
	}
}

// commandOf is the command line in the manifest that steps write; nil where a patch has made it something else.
func commandOf(steps []plan.Step) []string {
	for _, step := range steps {
		if file, ok := step.(plan.File); ok && !file.Dir {
			return CommandLine(podOf(file.Data))
		}
	}
	return nil
}

// missingAccounts are those that the cluster does not have.
func missingAccounts(ctx context.Context, api plan.API, accounts []*corev1.ServiceAccount) ([]*corev1.ServiceAccount, error) {
	list, err := api.List(ctx, accounts[0], nil)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, obj := range list {
		account, err := meta.Accessor(obj)
		if err != nil {
			return nil, fmt.Errorf("cannot read a ServiceAccount: %w", err)
		}
		there[account.GetName()] = true
	}
	var missing []*corev1.ServiceAccount
	for _, account := range accounts {
		if !there[account.Name] {
			missing = append(missing, account)
		}
	}
	return missing, nil
}

// hasLed says that a controller manager has been at work in the cluster: what it has not made, it does not want.
func hasLed(ctx context.Context, api plan.API) (bool, error) {
	lease, err := api.Live(ctx, &coordinationv1.Lease{
		TypeMeta:   metav1.TypeMeta{APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: "Lease"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: config.ControllerManager},
	})
	return lease != nil, err
}
