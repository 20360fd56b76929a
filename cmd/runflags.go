package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
)

// runFlags are the flags of every command that changes a machine.
type runFlags struct {
	dryRun bool
	root   string
	output string
	// timeline is the file of --timeline.
	timeline string
	// onlyPrints says that the run shows something and changes nothing.
	onlyPrints bool
	// unrecorded says that there is no journal of the run: it only makes what was not there, for a user who is not root.
	unrecorded bool
}

func (f *runFlags) add(s *pflag.FlagSet) {
	s.StringVar(&f.root, "root", "/", "write files below this directory; systemd, the runtime and the cluster are left alone")
	s.StringVarP(&f.output, "output", "o", "text", "text, or json or yaml: one event for each thing that happens")
	ownFlags(s, "root", "output")
}

func (f *runFlags) check() error {
	if err := checkOutput(f.output, "text", "json", "yaml"); err != nil {
		return err
	}
	if f.root == "" {
		return cause.Usage.Mark(errors.New("cannot use an empty --root: name a directory, or / for this machine"))
	}
	var err error
	if f.root, err = filepath.Abs(f.root); err != nil {
		return cause.Usage.Mark(fmt.Errorf("cannot use --root: %w", err))
	}
	return nil
}

// makeRoot makes the directory to write below, where it is not there yet.
func (f *runFlags) makeRoot() error {
	if err := os.MkdirAll(f.root, 0o755); err != nil {
		return fmt.Errorf("cannot write below --root: %w", err)
	}
	return nil
}

// elsewhere says that only files are written, below another root.
func (f *runFlags) elsewhere() bool { return f.root != "/" }

// checkOutput says which forms a command can print.
func checkOutput(have string, forms ...string) error {
	if slices.Contains(forms, have) {
		return nil
	}
	return cause.Usage.Mark(fmt.Errorf("cannot print as %q: --output takes %s", have, orList(forms)))
}
