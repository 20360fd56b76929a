package cmd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
)

func newCerts(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "certs", Aliases: []string{"certificates"}, Short: "Renew certificates, and see when they expire",
		RunE: needsSub,
	}
	c.AddCommand(newCertsRenew(env), newCheckExpiration(env), newGenerateCSR(env), newCertificateKey(env))
	return c
}

// madeKey is what certificate-key prints for machines.
type madeKey struct {
	// CertificateKey is 64 hexadecimal digits, a secret.
	CertificateKey string `json:"certificateKey"`
}

func newCertificateKey(env *Env) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "certificate-key", Short: "Print a new key for the certificates that init --upload-certs uploads", Args: cobra.NoArgs,
		Long: "certificate-key prints a random key, 64 hexadecimal digits, for --certificate-key of init, join and init phase upload-certs.\n" +
			"Without it init makes one up.",
		RunE: func(*cobra.Command, []string) error {
			if err := checkOutput(output, "text", "json", "yaml"); err != nil {
				return err
			}
			key := make([]byte, 32)
			if _, err := rand.Read(key); err != nil {
				return fmt.Errorf("cannot make a key: %w", err)
			}
			if output != "text" {
				newEvents(env, output).object(madeKey{hex.EncodeToString(key)})
				return nil
			}
			_, err := fmt.Fprintln(env.Stdout, hex.EncodeToString(key))
			return err
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	ownFlags(c.Flags(), "output")
	return c
}

// certsFlags say which certificates are meant.
type certsFlags struct {
	configFile, certDir, kubeconfig string
}

func (f *certsFlags) add(s *pflag.FlagSet) {
	s.StringVar(&f.configFile, "config", "", "file with the configuration (kubeadm.k8s.io/v1beta4); - is stdin (default: the cluster's)")
	s.StringVar(&f.certDir, "cert-dir", config.DefaultCertificatesDir, "directory of keys and certificates, in place of the configuration's")
	s.StringVar(&f.kubeconfig, "kubeconfig", config.AdminKubeconfig, "credentials with which the cluster is asked for its configuration")
}

// usualCerts is what the certificates are looked for by.
type usualCerts struct {
	*config.Config
	// guessed says that it is neither the user's word nor the cluster's.
	guessed bool
}

// load takes the configuration of the file, else that of the cluster, else what this machine shows. A cluster that does not answer
// is no reason not to renew: expired certificates are why it does not. offline leaves it alone.
func (f *certsFlags) load(ctx context.Context, env *Env, h *host.Host, flags *pflag.FlagSet, offline bool, warn func([]string)) (usualCerts, error) {
	c, err := f.given(ctx, env, h, flags, offline, warn)
	if err != nil {
		return usualCerts{}, err
	}
	found := usualCerts{Config: c, guessed: c == nil}
	if c == nil {
		found.Config = config.New()
		if dir := certificatesDirOnDisk(h); dir != "" {
			found.Cluster.CertificatesDir = dir
		}
	}
	if flags.Changed("cert-dir") {
		if found.Cluster.CertificatesDir, err = absolute("cert-dir", f.certDir, offline); err != nil {
			return found, cause.Usage.Mark(err)
		}
	}
	if err := found.ForCertificates(); err != nil {
		return found, cause.Usage.Mark(fmt.Errorf("cannot use the configuration: %w", err))
	}
	warn(found.Warnings)
	return found, nil
}

// given is the configuration that somebody has written; nil where there is none that can be had.
func (f *certsFlags) given(ctx context.Context, env *Env, h *host.Host, flags *pflag.FlagSet, offline bool, warn func([]string)) (*config.Config, error) {
	data, name, err := readConfig(env, f.configFile)
	switch {
	case err != nil:
		return nil, cause.Usage.Mark(err)
	case data != nil:
		c, err := config.LoadInit(data, name)
		return c, cause.Usage.Mark(err)
	case offline:
		return nil, nil
	}
	path, err := absolute("kubeconfig", f.kubeconfig, offline)
	if err != nil {
		return nil, err
	}
	if data, err = h.ReadFile(path); errors.Is(err, fs.ErrNotExist) && !flags.Changed("kubeconfig") {
		return nil, nil // no node, or not yet
	}
	c, err := stored(ctx, h, data, err)
	if err != nil {
		warn([]string{fmt.Sprintf("the cluster can't be asked for its configuration, so that the usual one is taken; --config FILE names another\n%v", err)})
	}
	return c, nil
}

// stored asks the cluster of a kubeconfig, which may have been unreadable.
func stored(ctx context.Context, h *host.Host, kubeconfig []byte, unreadable error) (*config.Config, error) {
	if unreadable != nil {
		return nil, unreadable
	}
	client, err := cluster.New(kubeconfig, cluster.Options{Read: h.ReadFile, Dial: h.Dialer, Timeout: 2 * shortPatience, Patience: shortPatience})
	if err != nil {
		return nil, err
	}
	if err := client.Answers(ctx); err != nil {
		return nil, err
	}
	found, err := client.NodeConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	return config.StoredForCertificates(found.Cluster)
}

// absolute makes a path absolute that is relative to the working directory, as kubeadm takes it. That is a place on this machine, and
// none below another root.
func absolute(flag, path string, elsewhere bool) (string, error) {
	if elsewhere && !filepath.IsAbs(path) {
		return "", fmt.Errorf("cannot use --%s %s with --root: name the absolute path below that directory", flag, path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("cannot use --%s %s: %w", flag, path, err)
	}
	return abs, nil
}
