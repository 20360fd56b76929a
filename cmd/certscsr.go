package cmd

import (
	"context"
	"crypto/rand"

	"github.com/spf13/cobra"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/pki"
)

// requestFlags are those of `certs generate-csr`. They have kubeadm's names and meaning; --dry-run, --root and -o are ours.
type requestFlags struct {
	runFlags
	configFile, certDir, kubeconfigDir string
}

func newGenerateCSR(env *Env) *cobra.Command {
	f := &requestFlags{}
	c := &cobra.Command{
		Use: "generate-csr", Short: "Make keys, and requests to sign certificates for them, for a CA whose key is elsewhere", Args: cobra.NoArgs,
		Long: "generate-csr makes the keys of this node, and a certificate signing request (.csr) for each, for a CA whose key is not on\n" +
			"this machine. Put each signed certificate beside its key, with the ending .crt; those of the kubeconfigs go, in base64, into\n" +
			"client-certificate-data. Then init goes on with them. Keys that are there are kept.",
		Example: "  kubewright certs generate-csr --cert-dir /tmp/pki --kubeconfig-dir /tmp/conf",
	}
	s := c.Flags()
	s.StringVar(&f.configFile, "config", "", "file with the configuration (kubeadm.k8s.io/v1beta4), which has the names; - is stdin")
	s.StringVar(&f.certDir, "cert-dir", "", "directory of keys and requests, in place of the configuration's ("+config.DefaultCertificatesDir+")")
	s.StringVar(&f.kubeconfigDir, "kubeconfig-dir", config.KubernetesDir, "directory for kubeconfig files and their requests")
	s.BoolVar(&f.dryRun, "dry-run", false, "print what would be made, and make nothing")
	f.runFlags.add(s)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		out := newReporter(env, f.runFlags)
		return out.finish(f.run(c.Context(), env, out))
	}
	return c
}

func (f *requestFlags) run(ctx context.Context, env *Env, out *reporter) error {
	h := env.Machine.Host(f.root)
	list := phases.Requests()
	unlock := func() {}
	f.unrecorded = !env.Machine.Root() // others write where they may, and nothing that is to be taken back
	var err error
	if !f.unrecorded {
		if unlock, err = f.begin(ctx, env, h, list); err != nil {
			return err
		}
	}
	defer unlock()
	c, err := nodeConfig(ctx, env, h, f.configFile, func(c *config.Config) error {
		if f.certDir == "" {
			return nil
		}
		c.Cluster.CertificatesDir, err = absolute("cert-dir", f.certDir, f.elsewhere())
		return err
	})
	if err != nil {
		return err
	}
	out.warn(c.Warnings)
	dir, err := absolute("kubeconfig-dir", f.kubeconfigDir, f.elsewhere())
	if err != nil {
		return err
	}
	s := offline(h)
	defer s.close()
	s.facts = &phases.Facts{
		Config: c, Host: h, Now: h.Time(), Rand: rand.Reader, KubeconfigDir: dir, AdminKubeconfig: config.AdminKubeconfig,
		PKI: pki.Plan(pki.Input{Config: c, Read: h.ReadFile, Now: h.Time(), Rand: rand.Reader, KubeconfigDir: dir}),
	}
	p, err := f.plan(ctx, s, list, out)
	if err != nil {
		return err
	}
	return f.execute(ctx, env, s, p, list, out, func(changes int) error {
		if out.json == nil {
			out.line("\nKeys and requests are in %s and %s: %d changes.", c.Cluster.CertificatesDir, dir, changes)
		}
		out.result(changes, event{})
		return nil
	})
}
