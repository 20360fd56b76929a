package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/manifests"
)

// joinInput is the configuration of one run of join, defaulted and checked.
type joinInput struct {
	join *config.Join
	// dynamic is what the machine knows.
	dynamic config.Dynamic
	patches []manifests.PatchFile
	// alone says that a single phase is run and no cluster was named: it is the one that earlier phases have left here.
	alone bool
	// reach is how long the user wants an API server to be waited for that does not answer. Zero leaves it to us.
	reach time.Duration
}

// usualDiscovery is kubeadm's default of timeouts.discovery, which its printed configurations hold: no wish of the user's.
const usualDiscovery = 5 * time.Minute

// load reads the file or the flags, fills in what the machine knows and checks the whole.
func (f *joinFlags) load(ctx context.Context, env *Env, h *host.Host, flags *pflag.FlagSet, endpoint string) (*joinInput, error) {
	if f.elsewhere() {
		return nil, errors.New("cannot use --root with join: what a node is made of comes from the cluster that it joins; use --dry-run to see it")
	}
	if err := checkMixed(flags); err != nil {
		return nil, err
	}
	if flags.Changed("config") && endpoint != "" {
		return nil, fmt.Errorf("cannot mix --config with the argument %s: set discovery.bootstrapToken.apiServerEndpoint in the configuration file", endpoint)
	}
	j := config.NewJoin()
	data, name, err := readConfig(env, f.configFile)
	if err == nil && data != nil {
		j, err = config.LoadJoin(data, name)
	}
	if err != nil {
		return nil, err
	}
	if err := f.apply(flags, endpoint, j); err != nil {
		return nil, err
	}
	in := &joinInput{join: j, alone: f.phase != "" && j.Discovery.BootstrapToken == nil && j.Discovery.File == nil}
	if t := j.Timeouts; t != nil && t.Discovery != nil && t.Discovery.Duration != usualDiscovery {
		in.reach = t.Discovery.Duration
	}
	if j.Known = in.alone; in.alone && j.NodeRegistration.Name == "" {
		j.NodeRegistration.Name = nodeName(h)
	}
	if in.dynamic, err = f.askMachine(ctx, env, h, j); err != nil {
		return nil, err
	}
	if err := j.SetDefaults(in.dynamic); err != nil {
		return nil, err
	}
	if old := f.replaceNode; old != "" && old != j.NodeRegistration.Name {
		return nil, fmt.Errorf("cannot replace node %s: this machine joins as %s\nto join under its name: --node-name %[1]s", old, j.NodeRegistration.Name)
	}
	if err := j.Validate(); err != nil {
		return nil, fmt.Errorf("cannot use the configuration: %w", err)
	}
	if p := j.Patches; p != nil && p.Directory != "" {
		in.patches, err = readPatches(p.Directory)
	}
	return in, err
}

// askMachine asks the machine only for what the user left open.
func (f *joinFlags) askMachine(ctx context.Context, env *Env, h *host.Host, j *config.Join) (config.Dynamic, error) {
	d := config.Dynamic{Token: func() (string, error) { return config.NewToken(rand.Reader) }}
	var err error
	if d.Hostname, err = env.Machine.Hostname(); err != nil && j.NodeRegistration.Name == "" {
		return d, fmt.Errorf("%w\nname the node with --node-name or nodeRegistration.name", err)
	}
	if cp := j.ControlPlane; cp != nil {
		if d.AdvertiseAddress, err = chooseAddress(env, cp.LocalAPIEndpoint.AdvertiseAddress); err != nil {
			return d, cause.Preflight.Mark(err)
		}
	}
	if j.NodeRegistration.CRISocket == "" {
		if d.CRISocket, err = env.Machine.DetectRuntime(h); err != nil {
			return d, cause.Preflight.Mark(err)
		}
	}
	d.SystemdResolved = env.Machine.Resolved(ctx, h)
	return d, nil
}
