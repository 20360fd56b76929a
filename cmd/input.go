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
	"slices"

	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/manifests"
)

// initInput is the configuration of one run of init, defaulted and checked.
type initInput struct {
	config *config.Config
	// hostname is the machine's own name.
	hostname string
	// tokenGenerated says that the user named no token.
	tokenGenerated bool
	patches        []manifests.PatchFile
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
	in := &initInput{config: c, tokenGenerated: !hasToken(c)}
	if in.hostname, err = env.Machine.Hostname(); err != nil && c.Init.NodeRegistration.Name == "" {
		return nil, fmt.Errorf("%w\nname the node with --node-name or nodeRegistration.name", err)
	}
	if err := f.resolveVersion(ctx, c); err != nil {
		return nil, err
	}
	if err := setDefaults(env, h, in); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cannot use the configuration: %w", err)
	}
	if p := c.Init.Patches; p != nil && p.Directory != "" {
		if in.patches, err = readPatches(p.Directory); err != nil {
			return nil, err
		}
	}
	return in, nil
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
		return nil, name, fmt.Errorf("cannot read the configuration: %w", err)
	}
	if data == nil {
		data = []byte{}
	}
	return data, name, nil
}

func hasToken(c *config.Config) bool {
	return slices.ContainsFunc(c.Init.BootstrapTokens, func(t config.BootstrapToken) bool { return t.Token != nil })
}

// setDefaults asks the machine only for what the user left open.
func setDefaults(env *Env, h *host.Host, in *initInput) error {
	c := in.config
	d := config.Dynamic{
		Hostname: in.hostname,
		Token:    func() (string, error) { return config.NewToken(rand.Reader) },
	}
	var err error
	if choose, ipv6 := chooseAddress(c.Init.LocalAPIEndpoint.AdvertiseAddress); choose {
		if d.AdvertiseAddress, err = env.Machine.DefaultAddress(ipv6); err != nil {
			return err
		}
	}
	if c.Init.NodeRegistration.CRISocket == "" {
		if d.CRISocket, err = env.Machine.DetectRuntime(h); err != nil {
			return err
		}
	}
	d.SystemdResolved = h.Exists("/run/systemd/resolve/resolv.conf")
	return c.SetDefaults(d)
}

// chooseAddress says whether an advertise address is left to us: none, an unspecified or a loopback one, as with kubeadm.
func chooseAddress(given string) (choose, ipv6 bool) {
	if given == "" {
		return true, false
	}
	a, err := netip.ParseAddr(given)
	return err == nil && (a.IsUnspecified() || a.IsLoopback()), a.Is6()
}

// readPatches reads the files of a directory and of those below it, as kubeadm does.
func readPatches(dir string) ([]manifests.PatchFile, error) {
	var files []manifests.PatchFile
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && len(bytes.TrimSpace(data)) > 0 {
			files = append(files, manifests.PatchFile{Name: d.Name(), Data: data})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the patches: %w", err)
	}
	return files, nil
}
