package cmd

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/manifests"
)

// initInput is the configuration of one run of init, defaulted and checked.
type initInput struct {
	config *config.Config
	// hostname is the machine's own name.
	hostname string
	patches  []manifests.PatchFile
}

// load reads the file or the flags, fills in what the machine knows and checks the whole.
func (f *initFlags) load(ctx context.Context, env *Env, h *host.Host, flags *pflag.FlagSet) (*initInput, error) {
	if err := checkMixed(flags); err != nil {
		return nil, err
	}
	c, err := f.read(env)
	if err != nil {
		return nil, err
	}
	if err := f.apply(flags, c); err != nil {
		return nil, err
	}
	in := &initInput{config: c}
	if err := f.complete(ctx, env, h, flags, in); err != nil {
		return nil, err
	}
	if p := c.Init.Patches; p != nil && p.Directory != "" {
		if in.patches, err = readPatches(p.Directory); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// complete fills in what the machine knows and checks the whole.
func (f *initFlags) complete(ctx context.Context, env *Env, h *host.Host, flags *pflag.FlagSet, in *initInput) error {
	c := in.config
	var err error
	if in.hostname, err = env.Machine.Hostname(); err != nil && c.Init.NodeRegistration.Name == "" {
		return fmt.Errorf("%w\nname the node with --node-name or nodeRegistration.name", err)
	}
	version, err := resolveVersion(ctx, c)
	if err != nil {
		return err
	}
	if err := f.setDefaults(ctx, env, h, flags, in, version); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("cannot use the configuration: %w", err)
	}
	return nil
}

func (f *initFlags) read(env *Env) (*config.Config, error) {
	data, name, err := readConfig(env, f.configFile)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return config.New(), nil
	}
	return config.LoadInit(data, name)
}

// readConfig reads the configuration from a file or stdin; nil when there is none. name is what errors call it.
func readConfig(env *Env, file string) (data []byte, name string, err error) {
	return readFlagged(env, "--config", file)
}

// readFlagged is the same for any flag that names a configuration.
func readFlagged(env *Env, flag, file string) (data []byte, name string, err error) {
	switch file {
	case "":
		return nil, "", nil
	case "-":
		data, err = io.ReadAll(env.Stdin)
		name = "stdin"
	default:
		data, err = os.ReadFile(file)
		name = file
	}
	if err != nil {
		return nil, name, fmt.Errorf("cannot read the configuration that %s names: %w", flag, err)
	}
	if data == nil {
		data = []byte{}
	}
	return data, name, nil
}

// setDefaults asks the machine only for what the user left open.
func (f *initFlags) setDefaults(ctx context.Context, env *Env, h *host.Host, flags *pflag.FlagSet, in *initInput, version string) error {
	c := in.config
	d := config.Dynamic{
		Hostname: in.hostname, Version: version,
		Token: func() (string, error) { return config.NewToken(rand.Reader) },
	}
	var err error
	if d.AdvertiseAddress, err = chooseAddress(env, c.Init.LocalAPIEndpoint.AdvertiseAddress); err != nil {
		return cause.Preflight.Mark(err)
	}
	switch {
	case c.Init.NodeRegistration.CRISocket != "":
	case flags.Lookup("cri-socket") == nil: // a phase that has nothing to do with the runtime need not know which one it is
		d.CRISocket = host.DefaultRuntime
	default:
		if d.CRISocket, err = env.Machine.DetectRuntime(h); err != nil {
			return cause.Preflight.Mark(err)
		}
	}
	d.SystemdResolved = env.Machine.Resolved(ctx, h)
	return c.SetDefaults(d)
}

// chooseAddress returns the address to advertise where it is left to us: where none was given or an unspecified one, that of
// the default route; for a loopback one a global address of the loopback interface, as routers have it that announce addresses
// of their own (RFC 5549). It returns "" where the user has chosen.
func chooseAddress(env *Env, given string) (string, error) {
	a, err := netip.ParseAddr(given)
	switch {
	case given == "", err == nil && a.IsUnspecified():
		return env.Machine.DefaultAddress(a.Is6())
	case err == nil && a.IsLoopback():
		return env.Machine.LoopbackAddress()
	}
	return "", nil
}

// readPatches reads the files of a directory and of those below it, as kubeadm does.
func readPatches(dir string) ([]manifests.PatchFile, error) {
	const hint = "--patches, or patches.directory in the configuration, names the directory"
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", dir)
	}
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir) // the walk does not follow a link at its start
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the patches: %w\n%s", err, hint)
	}
	var files []manifests.PatchFile
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && len(bytes.TrimSpace(data)) > 0 {
			files = append(files, manifests.PatchFile{Name: strings.TrimPrefix(path, filepath.Clean(dir)+"/"), Data: data})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the patches: %w", err)
	}
	return files, nil
}
