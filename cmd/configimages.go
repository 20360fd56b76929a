package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
)

// imageFlags say which images are meant. They have kubeadm's names and meaning.
type imageFlags struct {
	configFile, featureGates, imageRepository, kubernetesVersion, criSocket string
}

// listedImages is kubeadm's output.kubeadm.k8s.io/v1alpha3 Images.
type listedImages struct {
	metav1.TypeMeta `json:",inline"`
	Images          []string `json:"images"`
}

func newConfigImages(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "images", Short: "List or pull the images of a control-plane node", Args: takes(0, "none"),
		RunE: needsSub,
	}
	c.AddCommand(newImagesList(env), newImagesPull(env))
	return c
}

func (f *imageFlags) add(s *pflag.FlagSet) {
	s.StringVar(&f.configFile, "config", "", "file with the configuration ("+config.APIVersion+"); - is stdin")
	s.StringVar(&f.featureGates, "feature-gates", "", "kubeadm's feature gates: name=true,...")
	s.StringVar(&f.imageRepository, "image-repository", config.DefaultImageRepository, "registry of the control-plane images")
	s.StringVar(&f.kubernetesVersion, "kubernetes-version", config.DefaultKubernetesVersion,
		"version of the control plane, or a label such as stable-1.37")
}

func newImagesList(env *Env) *cobra.Command {
	var f imageFlags
	var p printing
	c := &cobra.Command{
		Use: "list", Short: "List the images that a control-plane node needs", Args: takes(0, "none"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := p.check(); err != nil {
				return err
			}
			cfg, err := f.load(c.Context(), env, c.Flags())
			if err != nil {
				return err
			}
			if p.text() {
				_, err := fmt.Fprintln(env.Stdout, strings.Join(cfg.Images(), "\n"))
				return err
			}
			return p.print(env.Stdout, listedImages{
				metav1.TypeMeta{APIVersion: "output.kubeadm.k8s.io/v1alpha3", Kind: "Images"}, cfg.Images(),
			})
		},
	}
	f.add(c.Flags())
	p.add(c)
	return c
}

// load is what read finds.
func (f *imageFlags) load(ctx context.Context, env *Env, flags *pflag.FlagSet) (*config.Config, error) {
	c, err := f.read(ctx, env, flags)
	return c, cause.Usage.Mark(err)
}

// read reads the file, or the flags, and completes it for whatever machine. What a flag says beside a file does not count, as with
// kubeadm, but for the socket of the runtime.
func (f *imageFlags) read(ctx context.Context, env *Env, flags *pflag.FlagSet) (*config.Config, error) {
	data, name, err := readConfig(env, f.configFile)
	if err != nil {
		return nil, err
	}
	c := config.New()
	if data != nil {
		if c, err = config.LoadInit(data, name); err != nil {
			return nil, err
		}
	}
	for flag, to := range map[string]*string{
		"image-repository": &c.Cluster.ImageRepository, "kubernetes-version": &c.Cluster.KubernetesVersion, "feature-gates": nil,
	} {
		switch {
		case !flags.Changed(flag):
		case data != nil:
			c.Warnings = append(c.Warnings, fmt.Sprintf("--%s does not count beside --config: set it in %s", flag, name))
		case to != nil:
			*to = flags.Lookup(flag).Value.String()
		default:
			if c.Cluster.FeatureGates, err = config.ParseFeatureGates(f.featureGates); err != nil {
				return nil, fmt.Errorf("cannot read --feature-gates: %w", err)
			}
		}
	}
	return c, f.complete(ctx, env, c)
}

func (f *imageFlags) complete(ctx context.Context, env *Env, c *config.Config) error {
	version, err := resolveVersion(ctx, c)
	if err != nil {
		return err
	}
	if f.criSocket == "" {
		f.criSocket = c.Init.NodeRegistration.CRISocket
	}
	d := c.StandIn(randomToken)
	if version != "" {
		d.Version = version
	}
	if err := c.SetDefaults(d); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("cannot use the configuration: %w", err)
	}
	warnings(env, c.Warnings)
	return nil
}
