package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/pki"
)

func newKubeconfig(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "kubeconfig", Short: "Make kubeconfigs for users",
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }, // as kubeadm, and unlike its other groups
		Args: cobra.NoArgs,
	}
	c.AddCommand(newUserKubeconfig(env))
	return c
}

// usualValidity is how long a user's certificate is good.
const usualValidity = 365 * 24 * time.Hour

// userFlags are those of `kubeconfig user`. They have kubeadm's names and meaning.
type userFlags struct {
	configFile string
	user       pki.User
	out        documents
}

func newUserKubeconfig(env *Env) *cobra.Command {
	f := &userFlags{}
	c := &cobra.Command{
		Use: "user", Short: "Print a kubeconfig for one more user", Args: takes(0, "flags only"),
		Long: "user prints a kubeconfig for one more user, with a client certificate that the CA on this machine signs, or with a token. It is\n" +
			"a secret. The cluster is not asked; what the user may do there is for RBAC to say.",
		Example: "  kubewright kubeconfig user --client-name jane --org developers > jane.conf\n" +
			"  kubectl create clusterrolebinding developers --clusterrole view --group developers",
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), env) },
	}
	s := c.Flags()
	s.StringVar(&f.configFile, "config", "", "file with the configuration (kubeadm.k8s.io/v1beta4); - is stdin")
	s.StringVar(&f.user.Name, "client-name", "", "name of the user (required)")
	s.StringSliceVar(&f.user.Groups, "org", nil, "groups of the user, which go into the certificate")
	s.StringVar(&f.user.Token, "token", "", "token to put in, in place of a certificate")
	s.DurationVar(&f.user.Validity, "validity-period", usualValidity, "how long the certificate is good")
	f.out.add(c)
	c.SetFlagErrorFunc(withoutValue)
	return c
}

func (f *userFlags) run(ctx context.Context, env *Env) error {
	if err := f.out.check(); err != nil {
		return err
	}
	if f.user.Name == "" {
		return cause.Usage.Mark(errors.New("cannot make a kubeconfig for nobody: name the user with --client-name"))
	}
	h := env.Machine.Host("/")
	c, err := nodeConfig(ctx, env, h, f.configFile, func(*config.Config) error { return nil })
	if err != nil {
		return err
	}
	warnings(env, c.Warnings)
	now := h.Time()
	set := pki.Plan(pki.Input{Config: c, Read: h.ReadFile, Now: now, Rand: rand.Reader})
	data, until, err := set.UserKubeconfig(f.user)
	if err != nil {
		return err
	}
	warnings(env, set.Warnings())
	switch asked := now.Add(f.user.Validity); {
	case f.user.Token != "":
	case until.Before(asked):
		warnings(env, []string{fmt.Sprintf("the certificate is good until %s only: its CA expires then", until.UTC().Format(expiryFormat))})
	case f.user.Validity > usualValidity:
		warnings(env, []string{fmt.Sprintf("--validity-period %s is longer than %s, the usual lifetime of certificates", f.user.Validity, usualValidity)})
	}
	return f.out.print(env, data)
}
