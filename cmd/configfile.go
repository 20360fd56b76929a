package cmd

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
)

// fileFlags say what file is read, and what may be in it.
type fileFlags struct {
	file string
	// flag is the one that names the file.
	flag                     string
	experimental, deprecated bool
}

func (f *fileFlags) addExperimental(c *cobra.Command) {
	c.Flags().BoolVar(&f.experimental, "allow-experimental-api", false, "also read the experimental kubeadm.k8s.io/v1")
}

func newConfigValidate(env *Env) *cobra.Command {
	f := &fileFlags{flag: "config"}
	var output string
	c := &cobra.Command{
		Use: "validate", Short: "Say everything that is wrong with a configuration file", Args: takes(0, "none"),
		Long: "Say everything that is wrong with a configuration file of any command, each problem with its field, and print ok\n" +
			"if nothing is. Neither this machine nor the network is asked: the file may be for another one.",
		RunE: func(*cobra.Command, []string) error {
			if err := checkOutput(output, "text", "json", "yaml"); err != nil {
				return err
			}
			file, err := f.judged(env)
			if err != nil {
				return err
			}
			if output != "text" {
				out := newReporter(env, runFlags{output: output})
				out.warn(file.Warnings())
				out.result(0, event{Message: "ok"})
				return nil
			}
			warnings(env, file.Warnings())
			_, err = fmt.Fprintln(env.Stdout, "ok")
			return err
		},
	}
	c.Flags().StringVar(&f.file, "config", "", "file to judge; - is stdin")
	c.Flags().BoolVar(&f.deprecated, "allow-deprecated-api", false, "also read deprecated versions; there is none now")
	f.addExperimental(c)
	c.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	ownFlags(c.Flags(), "output")
	return c
}

// read reads the file that the flag names.
func (f *fileFlags) read(env *Env) ([]byte, string, error) {
	if f.file == "" {
		return nil, "", fmt.Errorf("cannot read a configuration: name the file with --%s, or - for stdin", f.flag)
	}
	return readFlagged(env, "--"+f.flag, f.file)
}

// judged is the file, found to be right for some machine.
func (f *fileFlags) judged(env *Env) (*config.File, error) {
	data, name, err := f.read(env)
	if err != nil {
		return nil, cause.Usage.Mark(err)
	}
	return f.judge(data, name)
}

func (f *fileFlags) judge(data []byte, name string) (*config.File, error) {
	file, err := f.right(data, name)
	return file, cause.Usage.Mark(err)
}

func (f *fileFlags) right(data []byte, name string) (*config.File, error) {
	file, err := config.LoadFile(data, name, f.experimental)
	if err != nil {
		return nil, err
	}
	if err := file.SetDefaults(file.StandIn(randomToken)); err != nil {
		return nil, err
	}
	if err := file.Validate(); err != nil {
		return nil, fmt.Errorf("cannot use the configuration: %w", err)
	}
	return file, nil
}

func randomToken() (string, error) { return config.NewToken(rand.Reader) }
