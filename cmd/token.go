package cmd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
)

// tokenFlags are what the token commands have in common.
type tokenFlags struct {
	kubeconfig string
	dryRun     bool
	output     string
}

// tokenPatience bounds a whole command that talks to the cluster: somebody waits at a terminal.
const tokenPatience = 15 * time.Second

func newTokens(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "token", Short: "Manage the bootstrap tokens with which nodes join",
		Long: "A bootstrap token, as in abcdef.0123456789abcdef, lets a node find the cluster, trust it, and ask for its certificate. It is a\n" +
			"secret: whoever has it can join nodes.",
		RunE: func(c *cobra.Command, _ []string) error { return needsSub(c) },
	}
	s := c.PersistentFlags()
	s.String("kubeconfig", "", "credentials for the cluster (default: $KUBECONFIG, ~/.kube/config, "+config.AdminKubeconfig+")")
	s.Bool("dry-run", false, "say what would be changed, and change nothing")
	c.AddCommand(newTokenCreate(env), newTokenList(env), newTokenDelete(env), newTokenGenerate(env))
	return c
}

// open connects to the cluster of the kubeconfig.
func (f *tokenFlags) open(ctx context.Context, env *Env) (*cluster.Client, *credentials, error) {
	found, err := findCredentials(env, f.kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	client, err := cluster.New(found.data, cluster.Options{Timeout: tokenPatience})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use the credentials in %s: %w", found.path, err)
	}
	if err := client.Answers(ctx); err != nil {
		return nil, nil, fmt.Errorf("%w\n%s names this server; is it up, and is it the one that is meant?", err, found.path)
	}
	return client, found, nil
}

// outputFlag adds -o to a command that prints text or JSON.
func (f *tokenFlags) outputFlag(c *cobra.Command, what string) {
	c.Flags().StringVarP(&f.output, "output", "o", "text", what)
}

func newTokenGenerate(env *Env) *cobra.Command {
	f := &tokenFlags{}
	c := &cobra.Command{
		Use: "generate", Short: "Print a new token without creating it in the cluster", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := checkOutput(f.output, "text", "json"); err != nil {
				return err
			}
			token, err := config.NewToken(rand.Reader)
			if err != nil {
				return err
			}
			return printToken(env, f.output, tokenMade{Token: token})
		},
	}
	f.outputFlag(c, "text or json")
	return c
}

func newTokenDelete(env *Env) *cobra.Command {
	f := &tokenFlags{}
	c := &cobra.Command{
		Use: "delete token-id...", Short: "Delete tokens from the cluster, named by their ID or as a whole", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f.inherit(c)
			if err := checkOutput(f.output, "text", "json"); err != nil {
				return err
			}
			return f.delete(c.Context(), env, args)
		},
	}
	f.outputFlag(c, "text or json")
	return c
}

// inherit takes the values of the parent's flags.
func (f *tokenFlags) inherit(c *cobra.Command) {
	f.kubeconfig, _ = c.Flags().GetString("kubeconfig")
	f.dryRun, _ = c.Flags().GetBool("dry-run")
}

// delete checks all names before the first token goes.
func (f *tokenFlags) delete(ctx context.Context, env *Env, names []string) error {
	var ids []string
	for _, name := range names {
		id, err := cluster.TokenID(name)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	client, _, err := f.open(ctx, env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	var errs []error
	for _, id := range ids {
		if !f.dryRun {
			if err := client.DeleteToken(ctx, id); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		switch {
		case f.output == "json":
			(&events{w: env.Stdout}).object(map[string]any{"id": id, "deleted": !f.dryRun})
		case f.dryRun:
			fmt.Fprintf(env.Stdout, "bootstrap token %q would be deleted\n", id)
		default:
			fmt.Fprintf(env.Stdout, "bootstrap token %q deleted\n", id)
		}
	}
	return errors.Join(errs...)
}

// tokenMade is what `create` and `generate` print with -o json.
type tokenMade struct {
	// Token is the whole token, a secret.
	Token string `json:"token"`
	// Created is false for a dry run, and for a token that was only generated.
	Created bool `json:"created"`
	// Join is the command that joins a node with it.
	Join string `json:"join,omitempty"`
}

func printToken(env *Env, output string, t tokenMade) error {
	switch {
	case output == "json":
		(&events{w: env.Stdout}).object(t)
	case t.Join != "":
		fmt.Fprintln(env.Stdout, t.Join)
	default:
		fmt.Fprintln(env.Stdout, t.Token)
	}
	return nil
}

func checkOutput(have string, want ...string) error {
	for _, w := range want {
		if have == w {
			return nil
		}
	}
	return fmt.Errorf("cannot print as %q: --output takes %s", have, orList(want))
}

// checkCertificateKey does not repeat the key: it is a secret.
func checkCertificateKey(key string) error {
	if raw, err := hex.DecodeString(key); key != "" && (err != nil || len(raw) != 32) {
		return errors.New("cannot use --certificate-key: want 64 hexadecimal digits, as `kubewright init phase upload-certs --upload-certs` prints them")
	}
	return nil
}
