// Package cmd is the command line: flags become a configuration, phases become a plan, and what happens is printed here and
// nowhere else. stdout carries data, stderr progress and errors.
package cmd

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
)

// Env is what commands take from the process and the machine, so that tests can give them another.
type Env struct {
	// Program is the name that the user called. Empty means kubewright.
	Program        Program
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Environ is the environment, "KEY=value".
	Environ []string
	// Terminal says that stderr is a terminal: spinners and colours are welcome.
	Terminal bool
	// Machine is the machine to work on.
	Machine Machine
	// verbose is the level of detail that -v asks for: 1 shows every step, 2 also contents.
	verbose int
	// entered says that a command has begun: that its line could be read.
	entered bool
	// run is the name of this run's journal, once it has one.
	run string
}

// Main runs kubewright on this machine and returns its exit code: 0, or that of the cause of the error. The first of args is the
// name that the program was called by.
func Main(args []string) int {
	quiet()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends even what can't be interrupted, such as reading from a terminal.
	context.AfterFunc(ctx, stop)
	return Run(ctx, Env{
		Program: calledAs(args), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(),
		Terminal: isTerminal(os.Stderr), Machine: realMachine{fault: faultHook()},
	}, args[min(1, len(args)):])
}

// quiet keeps client-go from writing lines of its own to stderr, as of a request that is not needed any more: what fails is an
// error, and is printed once.
func quiet() { klog.SetLoggerWithOptions(klog.Logger{}, klog.ContextualLogger(true)) }

// Run runs one command line.
func Run(ctx context.Context, env Env, args []string) int {
	first := ""
	if len(args) > 0 {
		first = args[0]
	}
	root := newRoot(&env, first)
	root.SetArgs(args)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	return env.fail(c, args, err)
}

// rootCommand is one that stands directly after the program's name.
type rootCommand struct {
	name string
	make func(*Env) *cobra.Command
}

var rootCommands = []rootCommand{
	{"alpha", newAlpha},
	{"certs", newCerts},
	{"completion", newCompletion},
	{"config", newConfig},
	{"history", newHistory},
	{"init", newInit},
	{"join", newJoin},
	{"kubeconfig", newKubeconfig},
	{"reset", newReset},
	{"rollback", newRollback},
	{"token", newTokens},
	{"version", newVersion},
}

// newRoot makes the commands, or only one of them where only is the name of one: the flags of all phases take longer to make than
// `version` takes otherwise.
func newRoot(env *Env, only string) *cobra.Command {
	global := &globalFlags{}
	root := &cobra.Command{
		Use:   string(env.program()),
		Short: "Bootstrap Kubernetes control planes and nodes",
		Long: "kubewright makes a machine a Kubernetes control plane or node. It reads kubeadm's configuration and leaves what\n" +
			"kubeadm would leave, but it can be interrupted and run again, and it shows beforehand what it will change.",
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return global.enter(env) },
	}
	global.add(env, root.PersistentFlags())
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	named := slices.ContainsFunc(rootCommands, func(c rootCommand) bool { return c.name == only })
	for _, c := range rootCommands {
		if !named || c.name == only {
			root.AddCommand(c.make(env))
		}
	}
	env.program().takeName(root)
	return root
}
