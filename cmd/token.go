package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
)

// tokenPatience bounds a whole command that talks to the cluster: somebody waits at a terminal.
const tokenPatience = 15 * time.Second

// tokenFlags are what the token commands have in common.
type tokenFlags struct {
	kubeconfig string
	dryRun     bool
	// output is text, json or yaml, but for list.
	output string
}

func newTokens(env *Env) *cobra.Command {
	f := &tokenFlags{}
	c := &cobra.Command{
		Use: "token", Short: "Manage the bootstrap tokens with which nodes join",
		Long: "A bootstrap token, as in abcdef.0123456789abcdef, lets a node find the cluster, trust it, and ask for its\n" +
			"certificate. It is a secret: whoever has it can join nodes. The part before the dot is its ID, which is none.",
		RunE: needsSub,
	}
	s := c.PersistentFlags()
	s.StringVar(&f.kubeconfig, "kubeconfig", "", "credentials for the cluster; without it, $KUBECONFIG and ~/.kube/config come first")
	s.Lookup("kubeconfig").DefValue = config.AdminKubeconfig
	s.BoolVar(&f.dryRun, "dry-run", false, "ask the cluster whether it would, and change nothing")
	c.SetFlagErrorFunc(withoutValue)
	c.AddCommand(newTokenCreate(env, f), newTokenList(env, f), newTokenDelete(env, f), newTokenGenerate(env, f))
	return c
}

func newTokenGenerate(env *Env, f *tokenFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "generate", Short: "Print a new token without creating it in the cluster", Args: takes(0, "none"),
		RunE: func(*cobra.Command, []string) error {
			if err := checkOutput(f.output, "text", "json", "yaml"); err != nil {
				return err
			}
			token, err := config.NewToken(rand.Reader)
			if err != nil {
				return err
			}
			f.printToken(env, tokenMade{Token: token})
			return nil
		},
	}
	f.addOutput(c)
	return c
}

// ask connects to the cluster of the kubeconfig, makes sure that somebody is there, and does what is to be asked there, all of it
// within tokenPatience. Its errors say who was asked.
func (f *tokenFlags) ask(ctx context.Context, found *credentials, do func(context.Context, *cluster.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	client, err := cluster.New(found.data, cluster.Options{Timeout: tokenPatience})
	if err != nil {
		return fmt.Errorf("cannot use the credentials in %s: %w", found.path, err)
	}
	if err := client.Answers(ctx); err != nil {
		return cause.Unreachable.Mark(fmt.Errorf("%w\n%s names this server; is it up, and is it the one that is meant?", err, found.path))
	}
	if err := do(ctx, client); err != nil {
		return found.explain(err)
	}
	return nil
}

// addOutput gives the command its -o.
func (f *tokenFlags) addOutput(c *cobra.Command) {
	c.Flags().StringVarP(&f.output, "output", "o", "text", "text, json or yaml")
	ownFlags(c.Flags(), "output")
}

// takes refuses more arguments than limit, and does not repeat them: one of them may be a token.
func takes(limit int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > limit {
			return fmt.Errorf("cannot run %q with %d arguments: it takes %s", c.CommandPath(), len(args), what)
		}
		return nil
	}
}

// withoutValue does not repeat what was given to a flag, either.
func withoutValue(_ *cobra.Command, err error) error {
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		return fmt.Errorf("cannot use --%s: its value is no %s", bad.GetFlag().Name, bad.GetFlag().Value.Type())
	}
	return err
}
