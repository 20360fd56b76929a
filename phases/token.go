package phases

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
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
			cm := info[0].(*corev1.ConfigMap)
			// A new cluster-info is signed at once, so that the first join does not wait for the controller manager to do it.
			if err := manifests.SignClusterInfo(cm, f.Config.Init.BootstrapTokens); err != nil {
				return nil, err
			}
			var steps []plan.Step
			for i, s := range secrets {
				generated := f.Config.Init.BootstrapTokens[i].Generated
				steps = append(steps, plan.Object{Obj: s, Unless: func(ctx context.Context, api plan.API) (bool, error) {
					return tokenKept(ctx, api, f, s, generated, cm)
				}})
			}
			for _, o := range info {
				// The signer writes into cluster-info: what is there stays.
				step := plan.Object{Obj: o}
				if _, ok := o.(*corev1.ConfigMap); ok {
					step.KeepExisting = true
					step.Fill = func(ctx context.Context, api plan.API) error { return signForEarlier(ctx, api, f, secrets, cm) }
				}
				steps = append(steps, step)
			}
			return append(steps, objects(manifests.BootstrapTokenRBAC(f.Config))...), nil
		},
	}
}

// tokenKept says that a token need not be created. One that the user chose is there already; one that was made up is
// wanted only until the cluster has its cluster-info, which is written right after it, or the token of a run that was cut off between
// the two: a later run makes no second token.
func tokenKept(ctx context.Context, api plan.API, f *Facts, token *corev1.Secret, generated bool, info *corev1.ConfigMap) (bool, error) {
	if generated {
		live, err := api.Live(ctx, info)
		if err != nil || live != nil {
			return live != nil, err
		}
		earlier, err := earlierToken(ctx, api, f, token)
		if err != nil || earlier != nil {
			return earlier != nil, err
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

// earlierToken is one that another run has made up before, of the same purpose as this one, and that is still good to join with; nil
// when there is none.
func earlierToken(ctx context.Context, api plan.API, f *Facts, token *corev1.Secret) (*config.BootstrapToken, error) {
	list, err := api.List(ctx, token, nil)
	if err != nil {
		return nil, err
	}
	purpose := string(token.Data[bootstrapapi.BootstrapTokenDescriptionKey])
	for _, o := range list {
		have, err := asSecret(o)
		if err != nil {
			return nil, err
		}
		if have.Type != corev1.SecretTypeBootstrapToken {
			continue
		}
		if _, good := cluster.JoinToken(have, f.Now); !good {
			continue
		}
		if t, err := cluster.Token(have); err == nil && t.Description == purpose {
			return &t, nil
		}
	}
	return nil, nil
}

// signForEarlier lets a new cluster-info be signed with the token of an earlier run, where this one makes none.
func signForEarlier(ctx context.Context, api plan.API, f *Facts, secrets []*corev1.Secret, info *corev1.ConfigMap) error {
	for i, t := range f.Config.Init.BootstrapTokens {
		if !t.Generated {
			continue
		}
		live, err := api.Live(ctx, secrets[i])
		if err != nil {
			return err
		}
		if live != nil {
			continue
		}
		earlier, err := earlierToken(ctx, api, f, secrets[i])
		if err != nil || earlier == nil {
			return err
		}
		delete(info.Data, bootstrapapi.JWSSignatureKeyPrefix+t.Token.ID)
		if err := manifests.SignClusterInfo(info, []config.BootstrapToken{*earlier}); err != nil {
			return err
		}
	}
	return nil
}
