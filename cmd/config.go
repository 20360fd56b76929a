package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubewright/kubewright/config"
)

func newConfig(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Print, judge and rewrite configuration files, and handle the images that they name",
		Long: "These commands work on files, and ask neither the cluster nor the network: only a version label is looked up.\n" +
			"A cluster keeps its configuration in the ConfigMap kubeadm-config of the namespace kube-system.",
		Args: takes(0, "none"),
		RunE: needsSub,
	}
	// kubeadm's commands have it, and none of them uses it.
	c.PersistentFlags().String("kubeconfig", config.AdminKubeconfig, "not used: no cluster is asked")
	c.AddCommand(newConfigPrint(env), newConfigMigrate(env), newConfigValidate(env), newConfigImages(env))
	return c
}

func newConfigPrint(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "print", Short: "Print configurations to begin with", Args: takes(0, "none"),
		RunE: needsSub,
	}
	var components []string
	forInit := printDefaults(env, "init", func() ([]byte, error) { return config.InitDefaults(components) })
	forInit.Flags().StringSliceVar(&components, "component-configs", nil,
		"also print the component configurations of these kinds: "+strings.Join(config.ComponentKinds(), ","))
	c.AddCommand(forInit,
		printDefaults(env, "join", func() ([]byte, error) {
			name, err := env.Machine.Hostname()
			if err != nil {
				name = "node"
			}
			return config.JoinDefaults(name)
		}),
		printDefaults(env, "reset", config.ResetDefaults),
		printDefaults(env, "upgrade", config.UpgradeDefaults))
	return c
}

func printDefaults(env *Env, of string, text func() ([]byte, error)) *cobra.Command {
	var out documents
	c := &cobra.Command{
		Use: of + "-defaults", Short: "Print the default configuration of " + of, Args: takes(0, "none"),
		Long: "Print the configuration of " + of + " with all defaults. Tokens, names and addresses that only you or a machine can know\n" +
			"have placeholders, such as " + config.PlaceholderToken + ": change them before you use the file.",
		RunE: func(*cobra.Command, []string) error {
			if err := out.check(); err != nil {
				return err
			}
			data, err := text()
			if err != nil {
				return err
			}
			return out.print(env, data)
		},
	}
	out.add(c)
	return c
}

// warnings prints remarks about a configuration, each once.
func warnings(env *Env, list []string) {
	for i, w := range list {
		if !slices.Contains(list[:i], w) {
			fmt.Fprintln(env.Stderr, "warning: "+env.program().says(strings.ReplaceAll(w, "\n", "\n  ")))
		}
	}
}
