package phases

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// bootstrapToken lets nodes join: the tokens, what their holders may do, and the public cluster-info.
func bootstrapToken() Phase {
	return Phase{
		Name: "bootstrap-token", Alias: "bootstraptoken", About: "Create the bootstrap tokens and cluster-info",
		Flags: []string{"config", "dry-run", "kubeconfig", "skip-token-print"},
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			secrets, err := manifests.BootstrapTokens(f.Config, f.Now)
			if err != nil {
				return nil, err
			}
			server, ca, err := f.Public()
			if err != nil {
				return nil, err
			}
			info, err := manifests.ClusterInfo(server, ca)
			if err != nil {
				return nil, err
			}
			// A new cluster-info is signed at once, so that the first join does not wait for the controller manager to do it.
			if err := manifests.SignClusterInfo(info[0].(*corev1.ConfigMap), f.Config.Init.BootstrapTokens); err != nil {
				return nil, err
			}
			var steps []plan.Step
			for i, s := range secrets {
				generated := f.Config.Init.BootstrapTokens[i].Generated
				steps = append(steps, plan.Object{Obj: s, Unless: func(ctx context.Context, api plan.API) (bool, error) {
					return tokenKept(ctx, api, f, s, generated, info[0].(*corev1.ConfigMap))
				}})
			}
			for _, o := range info {
				// The signer writes into cluster-info: what is there stays.
				_, isConfigMap := o.(*corev1.ConfigMap)
				steps = append(steps, plan.Object{Obj: o, KeepExisting: isConfigMap})
			}
			return append(steps, objects(manifests.BootstrapTokenRBAC(f.Config))...), nil
		},
	}
}

// tokenKept says that a token need not be created. One that the user chose is there already; one that was made up is
// wanted only until the cluster has its cluster-info, which is written right after it: a later run makes no second token.
func tokenKept(ctx context.Context, api plan.API, f *Facts, token *corev1.Secret, generated bool, info *corev1.ConfigMap) (bool, error) {
	if generated {
		live, err := api.Live(ctx, info)
		if err != nil || live != nil {
			return live != nil, err
		}
	}
	live, err := api.Live(ctx, token)
	if err != nil || live == nil || apierrors.IsNotFound(err) {
		return false, err
	}
	have, err := asSecret(live)
	if err != nil {
		return false, err
	}
	return cluster.TokenAlike(have, token, f.Now), nil
}
