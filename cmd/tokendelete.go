package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cluster"
)

// tokenDeleted is what delete prints with -o json for each token that was there.
type tokenDeleted struct {
	// ID is the part of the token before the dot.
	ID string `json:"id"`
	// Deleted is false for a dry run.
	Deleted bool `json:"deleted"`
}

func newTokenDelete(env *Env, f *tokenFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "delete [token-value] ...", Short: "Delete tokens from the cluster, named by their ID or as a whole",
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkOutput(f.output, "text", "json", "yaml"); err != nil {
				return err
			}
			return f.delete(c.Context(), env, args)
		},
	}
	f.addOutput(c)
	return c
}

// delete checks all names before the first token goes; one that is not there keeps none of the others.
func (f *tokenFlags) delete(ctx context.Context, env *Env, names []string) error {
	ids, err := tokenIDs(names)
	if err != nil {
		return cause.Usage.Mark(err)
	}
	found, err := findCredentials(env, f.kubeconfig)
	if err != nil {
		return err
	}
	return f.ask(ctx, found, func(ctx context.Context, client *cluster.Client) error { return f.deleteAll(ctx, env, client, ids) })
}

func (f *tokenFlags) deleteAll(ctx context.Context, env *Env, client *cluster.Client, ids []string) error {
	var errs []error
	for _, id := range ids {
		if err := client.DeleteToken(ctx, id, f.dryRun); err != nil {
			errs = append(errs, err)
			continue
		}
		switch {
		case f.output != "text":
			newEvents(env, f.output).object(tokenDeleted{ID: id, Deleted: !f.dryRun})
		case f.dryRun:
			fmt.Fprintf(env.Stdout, "bootstrap token %q would be deleted\n", id)
		default:
			fmt.Fprintf(env.Stdout, "bootstrap token %q deleted\n", id)
		}
	}
	return errors.Join(errs...)
}

// tokenIDs are the IDs of the tokens that are named by them or as a whole, each once.
func tokenIDs(names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, errors.New("cannot delete a bootstrap token: none is named\nto see those there are: kubewright token list")
	}
	var ids []string
	for _, name := range names {
		id, err := cluster.TokenID(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
