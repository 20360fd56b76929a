package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
)

// tokenCreateFlags are those of `token create`. They have kubeadm's names and meaning.
type tokenCreateFlags struct {
	*tokenFlags
	configFile, certificateKey, description string
	groups, usages                          []string
	ttl                                     time.Duration
	printJoin                               bool
}

func newTokenCreate(env *Env, common *tokenFlags) *cobra.Command {
	f := &tokenCreateFlags{tokenFlags: common}
	c := &cobra.Command{
		Use: "create [token]", Short: "Create a token in the cluster, a random one unless it is given",
		Long: "Create a token in the cluster, a random one unless it is given, and print it. The join command of\n" +
			"--print-join-command names the API server and the CA of the kubeconfig.",
		Args: takes(1, "at most one, the token"),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c.Context(), env, c.Flags(), first(args)) },
	}
	s := c.Flags()
	s.StringVar(&f.configFile, "config", "", "file with an InitConfiguration, whose bootstrapTokens are created; - is stdin")
	s.StringVar(&f.certificateKey, "certificate-key", "",
		"with --print-join-command, print the command of a control-plane node with this key,\n"+
			"which \"kubewright init phase upload-certs --upload-certs\" prints")
	s.StringVar(&f.description, "description", "", "what the token is for")
	s.StringSliceVar(&f.groups, "groups", []string{config.NodeBootstrapTokenAuthGroup},
		"groups of whoever authenticates with the token")
	s.BoolVar(&f.printJoin, "print-join-command", false, "print the command that joins a node with it, instead of the token")
	s.DurationVar(&f.ttl, "ttl", config.DefaultTokenTTL, "how long the token is good, as in 1s, 2m, 3h; 0 means for ever")
	s.StringSliceVar(&f.usages, "usages", []string{"signing", "authentication"},
		"what the token is good for: finding the cluster (signing), asking for a certificate (authentication)")
	f.addOutput(c)
	return c
}

// run finds all mistakes before anything is made: what the join command needs may be missing.
func (f *tokenCreateFlags) run(ctx context.Context, env *Env, flags *pflag.FlagSet, token string) error {
	if err := errors.Join(checkOutput(f.output, "text", "json", "yaml"), f.checkCertificateKey()); err != nil {
		return cause.Usage.Mark(err)
	}
	wanted, err := f.wanted(env, flags, token)
	if err != nil {
		return cause.Usage.Mark(err)
	}
	secrets, err := manifests.BootstrapTokens(wanted, time.Now())
	if err != nil {
		return err
	}
	found, err := findCredentials(env, f.kubeconfig)
	if err != nil {
		return err
	}
	made, err := f.describe(env.program(), wanted.Init.BootstrapTokens, found)
	if err != nil {
		return err
	}
	return f.ask(ctx, found, func(ctx context.Context, client *cluster.Client) error {
		return f.create(ctx, env, client, secrets, made)
	})
}

// create prints all tokens as JSON, each when it is there, or only the first one as text, as kubeadm does.
func (f *tokenCreateFlags) create(
	ctx context.Context, env *Env, client *cluster.Client, secrets []*corev1.Secret, made []tokenMade,
) error {
	var done []string
	for i, s := range secrets {
		if err := client.CreateToken(ctx, s, f.dryRun); err != nil {
			if len(done) > 0 && !f.dryRun {
				err = fmt.Errorf("%w\ncreated before that: %s", err, strings.Join(done, ", "))
			}
			return err
		}
		if !f.dryRun {
			client.SignClusterInfo(ctx, s)
		}
		done = append(done, string(s.Data["token-id"]))
		if f.output != "text" {
			f.printToken(env, made[i])
		}
	}
	if f.output != "text" {
		return nil
	}
	f.printToken(env, made[0])
	switch {
	case f.dryRun:
		fmt.Fprintln(env.Stderr, "This was a dry run: no token was created.")
	case len(done) > 1:
		fmt.Fprintf(env.Stderr, "Created besides: %s. To see them: %s token list\n", strings.Join(done[1:], ", "), env.program())
	}
	return nil
}

// wanted is the configuration with the tokens to create: those of the file, or the one that the flags describe. A token that is
// given is the value of the first.
func (f *tokenCreateFlags) wanted(env *Env, flags *pflag.FlagSet, token string) (*config.Config, error) {
	out, err := f.load(env, flags)
	if err != nil {
		return nil, err
	}
	if token != "" {
		id, secret, err := config.ParseToken(token)
		if err != nil {
			return nil, fmt.Errorf("cannot use the token: %w", err)
		}
		if len(out.Init.BootstrapTokens) == 0 {
			out.Init.BootstrapTokens = []config.BootstrapToken{{}}
		}
		out.Init.BootstrapTokens[0].Token = &config.BootstrapTokenString{ID: id, Secret: secret}
	}
	if err := out.CompleteTokens(func() (string, error) { return config.NewToken(rand.Reader) }); err != nil {
		return nil, fmt.Errorf("cannot create a token: %w", err)
	}
	return out, nil
}

func (f *tokenCreateFlags) load(env *Env, flags *pflag.FlagSet) (*config.Config, error) {
	if f.configFile == "" {
		out := config.New()
		t := config.BootstrapToken{Description: f.description, TTL: &metav1.Duration{Duration: f.ttl}, Usages: f.usages}
		if flags.Changed("groups") { // else they are those that go with the usages
			t.Groups = f.groups
		}
		out.Init.BootstrapTokens = []config.BootstrapToken{t}
		return out, nil
	}
	var mixed []string
	for _, name := range []string{"description", "groups", "ttl", "usages"} {
		if flags.Changed(name) {
			mixed = append(mixed, "--"+name)
		}
	}
	if len(mixed) > 0 {
		return nil, fmt.Errorf("cannot mix --config with %s: set it in bootstrapTokens of the configuration file",
			strings.Join(mixed, ", "))
	}
	data, name, err := readConfig(env, f.configFile)
	if err != nil {
		return nil, err
	}
	out, err := config.LoadInit(data, name)
	if err != nil {
		return nil, err
	}
	warnings(env, out.Warnings)
	return out, nil
}
