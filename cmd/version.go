package cmd

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// Version is kubewright's version; the build sets it.
var Version = "v0.1.0-dev"

// versionInfo is what `version -o json` prints, in kubeadm's shape.
type versionInfo struct {
	GitVersion string `json:"gitVersion"`
	GitCommit  string `json:"gitCommit,omitempty"`
	GoVersion  string `json:"goVersion"`
	Compiler   string `json:"compiler"`
	Platform   string `json:"platform"`
}

func newVersion(env *Env) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "version", Short: "Print the version of kubewright", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return printVersion(env, output) },
	}
	c.Flags().StringVarP(&output, "output", "o", "", "output format: short, yaml or json")
	return c
}

func printVersion(env *Env, output string) error {
	info := versionInfo{
		GitVersion: Version, GoVersion: runtime.Version(), Compiler: runtime.Compiler,
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				info.GitCommit = s.Value
			}
		}
	}
	wrapped := map[string]versionInfo{"clientVersion": info}
	switch output {
	case "":
		fmt.Fprintf(env.Stdout, "kubewright %s (%s, %s)\n", info.GitVersion, info.GoVersion, info.Platform)
	case "short":
		fmt.Fprintln(env.Stdout, info.GitVersion)
	case "yaml":
		data, err := yaml.Marshal(wrapped)
		if err != nil {
			return err
		}
		fmt.Fprint(env.Stdout, string(data))
	case "json":
		data, err := json.MarshalIndent(wrapped, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(env.Stdout, string(data))
	default:
		return fmt.Errorf("cannot print the version as %q: -o takes short, yaml or json", output)
	}
	return nil
}
