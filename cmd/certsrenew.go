package cmd

import (
	"context"
	"crypto/rand"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/systemd"
)

// renewFlags are those of `certs renew`. They have kubeadm's names and meaning; --dry-run, --no-restart, --root and -o are ours.
type renewFlags struct {
	runFlags
	certsFlags
	noRestart bool
}

func newCertsRenew(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "renew", Short: "Renew certificates, and restart the components that read them",
		RunE: needsSub,
	}
	const how = "A new certificate has a new key and the names, groups and usages of the one that is there, whatever is left of its life. What\n" +
		"the CA of this machine can't sign is left alone and told. The components that read it are restarted, one after the other, by\n" +
		"a hash in their manifests: etcd first. kubewright rollback takes it back."
	all := &cobra.Command{Use: "all", Short: "Renew all certificates of this node", Long: "all renews all certificates of this node, but for those of its CAs and of its kubelet, which renews its own.\n\n" + how}
	renewal(env, all, pki.Renewable())
	c.AddCommand(all)
	for _, row := range pki.Renewable() {
		one := &cobra.Command{Use: row.RenewalName(), Short: strings.Replace(row.About, "Generate", "Renew", 1)}
		one.Long = one.Short + ".\n\n" + how
		renewal(env, one, []pki.Row{row})
		c.AddCommand(one)
	}
	return c
}

// renewal makes the command renew the rows.
func renewal(env *Env, c *cobra.Command, rows []pki.Row) {
	f := &renewFlags{}
	c.Args = cobra.NoArgs
	f.certsFlags.add(c.Flags())
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "print what would be changed, and change nothing")
	c.Flags().BoolVar(&f.noRestart, "no-restart", false, "leave the components alone that read the certificates")
	f.runFlags.add(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		out := newReporter(env, f.runFlags)
		return out.finish(f.run(c.Context(), env, c.Flags(), rows, out))
	}
}

func (f *renewFlags) run(ctx context.Context, env *Env, flags *pflag.FlagSet, rows []pki.Row, out *reporter) error {
	h := env.Machine.Host(f.root)
	list := phases.Renew()
	unlock, err := f.begin(ctx, env, h, list)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := f.load(ctx, env, h, flags, f.elsewhere(), out.warn)
	if err != nil {
		return err
	}
	s := f.gather(ctx, env, h, c, rows)
	defer s.close()
	p, err := f.plan(ctx, s, list, out)
	if err != nil {
		return err
	}
	if err := f.canRestart(ctx, s); err != nil {
		return err
	}
	for _, r := range s.facts.Renewing.Renewals {
		for _, note := range r.Notes {
			out.warn([]string{r.Name + ": " + note})
		}
	}
	if r := s.facts.Renewing; r.NoRestart && len(r.Readers) > 0 {
		out.warn([]string{"these read what is renewed, and are not restarted: " + strings.Join(r.Readers, ", ") +
			"\nthe API server and etcd take new certificates by themselves, the others when they are restarted"})
	}
	return f.execute(ctx, env, s, p, list, out, func(changes int) error { return f.closing(s, changes, out) })
}

// gather looks at the machine.
func (f *renewFlags) gather(ctx context.Context, env *Env, h *host.Host, c usualCerts, rows []pki.Row) *session {
	s := offline(h)
	if !f.elsewhere() {
		socket, err := resetSocket(env, h, config.NewReset(), kubeletFlagsOnDisk(h))
		s = connect(ctx, env, h, socket)
		if err != nil {
			s.noRuntime = err
		}
	}
	set := pki.Plan(pki.Input{Config: c.Config, Read: h.ReadFile, Now: h.Time(), Rand: rand.Reader, LikeBefore: c.guessed})
	s.facts = &phases.Facts{
		Config: c.Config, Host: h, Runtime: s.target.Runtime, PKI: set, Now: h.Time(), Rand: rand.Reader,
		AdminKubeconfig: config.AdminKubeconfig, KubeconfigDir: config.KubernetesDir,
		Renewing: &phases.Renewing{Rows: rows, NoRestart: f.noRestart, Offline: f.elsewhere()},
	}
	s.facts.Client = clients(s.facts, "")
	if !f.elsewhere() {
		s.facts.Listeners = env.Machine.Preflight(h, s.target.Systemd, s.target.Runtime).Listeners
	}
	return s
}

// canRestart makes sure, before anything is changed, that the kubelet is there to restart components, and that it shows when it has.
func (f *renewFlags) canRestart(ctx context.Context, s *session) error {
	r := s.facts.Renewing
	if f.elsewhere() || f.dryRun || r.NoRestart || len(r.Readers) == 0 {
		return nil
	}
	why := s.noRuntime
	if why == nil && s.target.Systemd == nil {
		why = s.target.NoSystemd
	}
	if why == nil {
		var u systemd.Unit
		if u, why = s.target.Systemd.Unit(ctx, config.KubeletService); why == nil && u.ActiveState != "active" {
			why = fmt.Errorf("the kubelet does not run: %s is %s (%s)", u.Name, u.ActiveState, u.SubState)
		}
	}
	if why == nil {
		return nil
	}
	return cause.Preflight.Mark(fmt.Errorf("cannot restart %s, which read what is to be renewed: %w\n"+
		"to renew it nevertheless and to restart them yourself: --no-restart", strings.Join(r.Readers, ", "), why))
}

// renewed is what the result tells of a certificate.
type renewed struct {
	Name string `json:"name"`
	// Outcome is renewed, missing, external or foreign; see package pki.
	Outcome pki.Outcome `json:"outcome"`
	// Expires is when the new certificate does, as in RFC 3339; empty where there is none.
	Expires string `json:"expires,omitempty"`
}

// closing tells what has become of each certificate, and what is left to do.
func (f *renewFlags) closing(s *session, changes int, out *reporter) error {
	r := s.facts.Renewing
	if out.json != nil {
		var ev event
		for _, it := range r.Renewals {
			ev.Certificates = append(ev.Certificates, newRenewed(it))
		}
		out.result(changes, ev)
		return nil
	}
	out.line("")
	for _, it := range r.Renewals {
		out.line("%s", outcome(it))
	}
	if changes > 0 && !f.elsewhere() && slices.ContainsFunc(r.Renewals, func(it pki.Renewal) bool {
		return it.Name == path.Base(config.AdminKubeconfig) && it.Outcome == pki.Renewed
	}) {
		out.line("\nCopies of admin.conf, as ~/.kube/config, are good until the old certificate expires.")
	}
	return nil
}

func newRenewed(r pki.Renewal) renewed {
	it := renewed{Name: r.Name, Outcome: r.Outcome}
	if r.Outcome == pki.Renewed {
		it.Expires = r.Until.UTC().Format("2006-01-02T15:04:05Z")
	}
	return it
}

// outcome is a line for people.
func outcome(r pki.Renewal) string {
	switch r.Outcome {
	case pki.Renewed:
		return fmt.Sprintf("%-24s renewed, good until %s", r.Name, r.Until.UTC().Format(expiryFormat))
	case pki.External:
		return fmt.Sprintf("%-24s not renewed: the key of its CA %s is not here; have a new one signed (kubewright certs generate-csr)", r.Name, r.CA)
	case pki.Foreign:
		return fmt.Sprintf("%-24s not renewed: no client certificate is in it", r.Name)
	}
	return fmt.Sprintf("%-24s MISSING: there is nothing to renew", r.Name)
}
