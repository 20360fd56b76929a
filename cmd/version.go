package cmd

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
)

// Version is kubewright's version; the build sets it.
var Version = "v0.1.0-dev"

// versions is what `version -o json` prints: kubeadm's shape, and what we add.
type versions struct {
	ClientVersion version.Info `json:"clientVersion"`
	// KubernetesVersion is the version that is deployed where none is asked for. kubeadm's is its own.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
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

// printVersion prints our own version or, in kubeadm's place, that of the kubeadm that we stand for: tools compare it with the
// version of Kubernetes that they are about to deploy.
func printVersion(env *Env, output string) error {
	v := versions{ClientVersion: buildInfo(Version), KubernetesVersion: config.DefaultKubernetesVersion}
	if env.program() == Kubeadm {
		v = versions{ClientVersion: buildInfo(config.DefaultKubernetesVersion)}
	}
	info := &v.ClientVersion
	switch output {
	case "":
		if env.program() == Kubeadm {
			fmt.Fprintf(env.Stdout, "kubeadm version: %#v\n", info)
			break
		}
		fmt.Fprintf(env.Stdout, "kubewright %s for Kubernetes %s (%s, %s)\n", info.GitVersion, v.KubernetesVersion, info.GoVersion, info.Platform)
	case "short":
		fmt.Fprintln(env.Stdout, info.GitVersion)
	case "yaml":
		data, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		fmt.Fprint(env.Stdout, string(data))
	case "json":
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(env.Stdout, string(data))
	default:
		return cause.Usage.Mark(fmt.Errorf("cannot print the version as %q: -o takes short, yaml or json", output))
	}
	return nil
}

// buildInfo describes this program under a version. What the build did not record is empty, its date 1970, as in kubeadm.
func buildInfo(name string) version.Info {
	info := version.Info{
		GitVersion: name, BuildDate: "1970-01-01T00:00:00Z",
		GoVersion: runtime.Version(), Compiler: runtime.Compiler, Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if parts := strings.Split(strings.TrimPrefix(name, "v"), "."); len(parts) > 1 {
		info.Major, info.Minor = parts[0], parts[1]
	}
	build, _ := debug.ReadBuildInfo()
	if build == nil {
		return info
	}
	for _, s := range build.Settings {
		switch {
		case s.Key == "vcs.revision":
			info.GitCommit = s.Value
		case s.Key == "vcs.time" && s.Value != "":
			info.BuildDate = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			info.GitTreeState = "dirty"
		case s.Key == "vcs.modified":
			info.GitTreeState = "clean"
		}
	}
	return info
}
