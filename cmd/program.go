package cmd

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Program is the name that the user called. Called kubeadm, as through a link of that name, the program takes kubeadm's place: it
// speaks of itself by that name, shows the commands and flags that kubeadm has, gives the version of Kubernetes that it stands for,
// and has kubeadm's exit code. What kubeadm does not have is hidden then, but understood.
type Program string

const (
	Kubewright Program = "kubewright"
	Kubeadm    Program = "kubeadm"
)

// calledAs finds the program in the arguments of the process; names such as kubeadm-v1.37 are kubeadm, too.
func calledAs(args []string) Program {
	if len(args) > 0 && strings.HasPrefix(filepath.Base(args[0]), string(Kubeadm)) {
		return Kubeadm
	}
	return Kubewright
}

func (e *Env) program() Program {
	if e.Program == "" {
		return Kubewright
	}
	return e.Program
}

// says puts the name that the user called where a text tells what to run. Names that only begin or end with ours, as of files and
// annotations, stay.
func (p Program) says(text string) string {
	if p != Kubeadm {
		return text
	}
	return nameOrLonger.ReplaceAllStringFunc(text, func(word string) string {
		bare := strings.TrimRight(word, ".:")
		if bare != string(Kubewright) {
			return word
		}
		return string(p) + word[len(bare):]
	})
}

var nameOrLonger = regexp.MustCompile(`[\w./:-]*kubewright[\w./:-]*`)

// onlyOurs marks flags and commands that kubeadm does not have.
const onlyOurs = "kubewright-only"

func ownFlags(s *pflag.FlagSet, names ...string) {
	for _, name := range names {
		_ = s.SetAnnotation(name, onlyOurs, []string{"true"})
	}
}

func ownCommand(c *cobra.Command) *cobra.Command {
	c.Annotations = map[string]string{onlyOurs: "true"}
	return c
}

// takeName makes the help of a command, and of all below it, that of the program that was called.
func (p Program) takeName(c *cobra.Command) {
	if p != Kubeadm {
		return
	}
	c.Short, c.Long, c.Example = p.says(c.Short), p.says(c.Long), p.says(c.Example)
	if _, ours := c.Annotations[onlyOurs]; ours {
		c.Hidden = true
	}
	for _, flags := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			f.Usage = p.says(f.Usage)
			if _, ours := f.Annotations[onlyOurs]; ours {
				f.Hidden = true
			}
		})
	}
	for _, sub := range c.Commands() {
		p.takeName(sub)
	}
}
