package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/templates"
)

// tokenCreateFlags are those of `token create`. They have kubeadm's names and meaning.
type tokenCreateFlags struct {
	tokenFlags
	configFile, certificateKey, description string
	groups, usages                          []string
	ttl                                     time.Duration
	printJoin                               bool
}

func newTokenCreate(env *Env) *cobra.Command {
	f := &tokenCreateFlags{}
	c := &cobra.Command{
		Use: "create [token]", Short: "Create a token in the cluster, a random one unless it is given", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f.inherit(c)
			return f.run(c.Context(), env, c, first(args))
		},
	}
	s := c.Flags()
	s.StringVar(&f.configFile, "config", "", "file with an InitConfiguration, whose bootstrapTokens are created; - is stdin")
	s.StringVar(&f.certificateKey, "certificate-key", "", "with --print-join-command, print the command of a control-plane node with this key")
	s.StringVar(&f.description, "description", "", "what the token is for")
	s.StringSliceVar(&f.groups, "groups", []string{config.NodeBootstrapTokenAuthGroup}, "groups of whoever authenticates with the token")
	s.BoolVar(&f.printJoin, "print-join-command", false, "print the command that joins a node with it, instead of the token")
	s.DurationVar(&f.ttl, "ttl", config.DefaultTokenTTL, "how long the token is good, as in 1s, 2m, 3h; 0 means for ever")
	s.StringSliceVar(&f.usages, "usages", []string{"signing", "authentication"}, "what the token is good for")
	f.outputFlag(c, "text or json")
	return c
}

func (f *tokenCreateFlags) run(ctx context.Context, env *Env, c *cobra.Command, token string) error {
	if err := checkOutput(f.output, "text", "json"); err != nil {
		return err
	}
	if f.certificateKey != "" && !f.printJoin {
		return errors.New("cannot use --certificate-key: it is part of the join command; add --print-join-command")
	}
	if err := checkCertificateKey(f.certificateKey); err != nil {
		return err
	}
	wanted, err := f.wanted(env, c, token)
	if err != nil {
		return err
	}
	secrets, err := manifests.BootstrapTokens(wanted, time.Now())
	if err != nil {
		return err
	}
	made := tokenMade{Token: wanted.Init.BootstrapTokens[0].Token.String(), Created: !f.dryRun}
	if f.printJoin { // before anything is made: what the command needs may be missing
		found, err := findCredentials(env, f.kubeconfig)
		if err != nil {
			return err
		}
		if made.Join, err = f.join(found, made.Token); err != nil {
			return err
		}
	}
	if f.dryRun {
		return printToken(env, f.output, made)
	}
	client, found, err := f.open(ctx, env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	for _, s := range secrets {
		if err := client.CreateToken(ctx, s); err != nil {
			return found.explain(err)
		}
	}
	return printToken(env, f.output, made)
}

// wanted is the configuration with the tokens to create: those of the file, or the one that the flags describe.
func (f *tokenCreateFlags) wanted(env *Env, c *cobra.Command, token string) (*config.Config, error) {
	out := config.New()
	if f.configFile != "" {
		for _, name := range []string{"description", "groups", "ttl", "usages"} {
			if c.Flags().Changed(name) {
				return nil, fmt.Errorf("cannot mix --config with --%s: set it in bootstrapTokens of the configuration file", name)
			}
		}
		data, name, err := readConfig(env, f.configFile)
		if err == nil {
			out, err = config.LoadInit(data, name)
		}
		if err != nil {
			return nil, err
		}
	} else {
		out.Init.BootstrapTokens = []config.BootstrapToken{{
			Description: f.description, TTL: &metav1.Duration{Duration: f.ttl}, Usages: f.usages, Groups: f.groups,
		}}
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

// join is the command that joins a node with the token, from what the kubeconfig says about the cluster.
func (f *tokenCreateFlags) join(found *credentials, token string) (string, error) {
	hashes, err := pki.CAHashes(found.ca)
	if err != nil {
		return "", fmt.Errorf("%w\nthe kubeconfig %s names no certificate-authority", err, found.path)
	}
	closing := templates.Closing{
		Endpoint: strings.TrimPrefix(found.server, "https://"), Tokens: []string{token}, CAHashes: hashes,
		Shared: true, UploadCerts: f.certificateKey != "", CertificateKey: f.certificateKey,
	}
	if f.certificateKey != "" {
		return closing.ControlPlane()[0], nil
	}
	return closing.Worker()[0], nil
}
