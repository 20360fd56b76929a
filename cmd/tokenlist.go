package cmd

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
)

// listedToken is kubeadm's output.kubeadm.k8s.io/v1alpha3 BootstrapToken.
type listedToken struct {
	metav1.TypeMeta       `json:",inline"`
	config.BootstrapToken `json:",inline"`
}

func newTokenList(env *Env, f *tokenFlags) *cobra.Command {
	var p printing
	c := &cobra.Command{
		Use: "list", Short: "List the tokens of the cluster", Args: takes(0, "none"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := p.check(); err != nil {
				return err
			}
			return f.list(c.Context(), env, &p)
		},
	}
	p.add(c)
	return c
}

// list warns of Secrets that claim to be tokens and are none, and goes on.
func (f *tokenFlags) list(ctx context.Context, env *Env, p *printing) error {
	found, err := findCredentials(env, f.kubeconfig)
	if err != nil {
		return err
	}
	var live []corev1.Secret
	err = f.ask(ctx, found, func(ctx context.Context, client *cluster.Client) (err error) {
		live, err = client.ListTokens(ctx)
		return err
	})
	if err != nil {
		return err
	}
	var tokens []config.BootstrapToken
	for i := range live {
		t, err := cluster.Token(&live[i])
		if err != nil {
			fmt.Fprintf(env.Stderr, "warning: %v\n", err)
			continue
		}
		tokens = append(tokens, t)
	}
	if p.text() {
		return tokenTable(env, tokens, time.Now())
	}
	for _, t := range tokens {
		o := listedToken{metav1.TypeMeta{APIVersion: "output.kubeadm.k8s.io/v1alpha3", Kind: "BootstrapToken"}, t}
		if err := p.print(env.Stdout, o); err != nil {
			return err
		}
	}
	return nil
}

// tokenTable has kubeadm's columns. Without tokens it prints nothing.
func tokenTable(env *Env, tokens []config.BootstrapToken, now time.Time) error {
	if len(tokens) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(env.Stdout, 10, 4, 3, ' ', 0)
	fmt.Fprintln(w, "TOKEN\tTTL\tEXPIRES\tUSAGES\tDESCRIPTION\tEXTRA GROUPS")
	for _, t := range tokens {
		ttl, expires := "<forever>", "<never>"
		if t.Expires != nil {
			ttl, expires = duration.ShortHumanDuration(t.Expires.Sub(now)), t.Expires.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Token, ttl, expires,
			orNone(strings.Join(t.Usages, ",")), orNone(t.Description), orNone(strings.Join(t.Groups, ",")))
	}
	return w.Flush()
}

func orNone(s string) string {
	if s == "" {
		return "<none>"
	}
	return s
}

// orList is "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
