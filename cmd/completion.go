package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/preflight"
)

// shells are those that completion knows.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletion(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes commands and flags in a shell: " + orList(shells),
		Example: "  source <(kubewright completion bash)\n" +
			"  kubewright completion zsh > \"${fpath[1]}/_kubewright\"\n" +
			"  kubewright completion fish > ~/.config/fish/completions/kubewright.fish",
		ValidArgs: shells,
		RunE:      func(c *cobra.Command, args []string) error { return complete(env, c.Root(), args) },
	}
}

func complete(env *Env, root *cobra.Command, args []string) error {
	if len(args) != 1 || !slices.Contains(shells, args[0]) {
		return cause.Usage.Mark(fmt.Errorf("cannot print a completion script: name one shell: %s", orList(shells)))
	}
	switch args[0] {
	case "bash":
		return root.GenBashCompletionV2(env.Stdout, true)
	case "zsh":
		return root.GenZshCompletion(env.Stdout)
	case "fish":
		return root.GenFishCompletion(env.Stdout, true)
	}
	return root.GenPowerShellCompletionWithDesc(env.Stdout)
}

// completeValues offers the values of flags that name phases or checks.
func completeValues(c *cobra.Command, list phases.Command) {
	known := map[string]func() []string{
		"skip-phases":             list.Names,
		"ignore-preflight-errors": func() []string { return append([]string{"all"}, checkNames(list)...) },
	}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if values, ok := known[f.Name]; ok {
			_ = c.RegisterFlagCompletionFunc(f.Name, completeList(values)) // it fails for a flag that there is not, or the second time
		}
	})
}

// completeList offers values, also for what stands behind a comma.
func completeList(values func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before, last := "", begun
		if i := strings.LastIndex(begun, ","); i >= 0 {
			before, last = begun[:i+1], begun[i+1:]
		}
		var offered []cobra.Completion
		for _, v := range values() {
			if strings.HasPrefix(v, last) {
				offered = append(offered, before+v)
			}
		}
		return offered, cobra.ShellCompDirectiveNoFileComp
	}
}

// checkNames are those of a usual configuration: some of them hold ports and paths.
func checkNames(list phases.Command) []string {
	c := config.New()
	_ = c.SetDefaults(config.Dynamic{Hostname: "node", AdvertiseAddress: "192.0.2.1", CRISocket: host.DefaultRuntime}) // nothing is checked
	checks := preflight.Init(c, preflight.Machine{}, preflight.Resume{})
	if list.Name == phases.Join().Name {
		checks = append(checks, preflight.Join(c, preflight.Machine{}, preflight.Resume{}, preflight.Joining{CACertPath: config.DefaultCertificatesDir + "/ca.crt"})...)
	}
	var names []string
	for _, check := range checks {
		if !slices.Contains(names, check.Name) {
			names = append(names, check.Name)
		}
	}
	slices.Sort(names)
	return names
}
