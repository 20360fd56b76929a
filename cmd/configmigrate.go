package cmd

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
)

func newConfigMigrate(env *Env) *cobra.Command {
	f := &fileFlags{flag: "old-config"}
	var to string
	var out documents
	c := &cobra.Command{
		Use: "migrate", Short: "Write a configuration file anew, in the version that all commands read", Args: takes(0, "none"),
		Long: "Read a configuration file of any command, fill in what it leaves open, judge it, and write it in the version\n" +
			config.APIVersion + ". What only this machine knows, such as its name, is filled in, too. Component configurations stay\n" +
			"as they are. Nothing is lost: a document of the experimental version whose arguments have a mergeMethod stays in it.",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			data, name, err := f.read(env)
			if err != nil {
				return cause.Usage.Mark(err)
			}
			if _, err := f.judge(data, name); err != nil {
				return err
			}
			text, err := f.migrate(c.Context(), env, data, name)
			if err != nil {
				return err
			}
			if to == "" {
				return out.print(env, text)
			}
			return writeSecretly(env.Machine.Host("/"), to, text)
		},
	}
	c.Flags().StringVar(&f.file, "old-config", "", "file to read; - is stdin")
	c.Flags().StringVar(&to, "new-config", "", "file to write (default: stdout). It may hold tokens: only its owner can read it")
	f.addExperimental(c)
	out.add(c)
	return c
}

// migrate completes a file that was judged with what this machine knows, and writes it anew.
func (f *fileFlags) migrate(ctx context.Context, env *Env, data []byte, name string) ([]byte, error) {
	file, err := config.LoadFile(data, name, f.experimental)
	if err != nil {
		return nil, err
	}
	d, remarks, err := machineFacts(ctx, env, file)
	if err != nil {
		return nil, err
	}
	if err := file.SetDefaults(d); err != nil {
		return nil, err
	}
	// The file was judged for a machine that suits it; this one may not, and the file need not be for it.
	if err := file.Validate(); err != nil && remarks == nil {
		remarks = append(remarks, fmt.Sprintf("what is filled in for this machine will not do: %v", err))
	}
	text, kept, err := file.Migrate()
	if err != nil {
		return nil, err
	}
	for _, kind := range kept {
		remarks = append(remarks, kind+" stays in kubeadm.k8s.io/v1: "+config.APIVersion+" has no mergeMethod\n"+
			"init and join do not read it; give the whole value of the argument, and no mergeMethod")
	}
	warnings(env, append(file.Warnings(), remarks...))
	return text, nil
}

// machineFacts are what only this machine knows and the file leaves open. Addresses are filled in at once: each may be of another
// kind.
func machineFacts(ctx context.Context, env *Env, file *config.File) (d config.Dynamic, remarks []string, err error) {
	d.Token = randomToken
	sockets := []string{}
	for _, n := range file.Nodes() {
		sockets = append(sockets, n.CRISocket)
		if d.Hostname, err = env.Machine.Hostname(); err != nil && n.Name == "" {
			return d, nil, fmt.Errorf("%w\nname the node in the file: nodeRegistration.name", err)
		}
	}
	if file.Reset != nil {
		sockets = append(sockets, file.Reset.CRISocket)
	}
	if slices.Contains(sockets, "") {
		if d.CRISocket, err = env.Machine.DetectRuntime(env.Machine.Host("/")); err != nil {
			return d, nil, err
		}
	}
	for _, e := range file.Endpoints() {
		switch found, err := chooseAddress(env, e.AdvertiseAddress); {
		case err != nil:
			remarks = append(remarks, fmt.Sprintf("localAPIEndpoint.advertiseAddress: it is left as it is: %v", err))
		case found != "":
			e.AdvertiseAddress = found
		}
	}
	if file.Init != nil {
		if d.Version, err = resolveVersion(ctx, file.Init); err != nil {
			return d, nil, err
		}
	}
	return d, remarks, nil
}

// writeSecretly writes a file that only its owner can read. A link is followed; what is no file, as /dev/stdout, is written to.
func writeSecretly(h *host.Host, path string, data []byte) error {
	const mode = 0o600
	full, err := filepath.Abs(path)
	if target, linked := filepath.EvalSymlinks(path); linked == nil {
		full = target
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err := os.WriteFile(path, data, fs.FileMode(mode))
		if err != nil {
			return fmt.Errorf("cannot write %s: %w", path, err)
		}
		return nil
	}
	return h.WriteFile(full, host.FileSpec{Data: data, Mode: mode, UID: os.Getuid(), GID: os.Getgid()})
}
