package cmd

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
)

// nodeConfig is the configuration that init would go by with this file, or without one where its name is empty, after change. No
// cluster is asked.
func nodeConfig(ctx context.Context, env *Env, h *host.Host, file string, change func(*config.Config) error) (*config.Config, error) {
	f := &initFlags{configFile: file}
	c, err := f.read(env)
	if err == nil {
		err = change(c)
	}
	if err != nil {
		return nil, cause.Usage.Mark(err)
	}
	return c, f.complete(ctx, env, h, pflag.NewFlagSet("", pflag.ContinueOnError), &initInput{config: c})
}
