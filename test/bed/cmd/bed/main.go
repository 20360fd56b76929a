// Command bed boots disposable machines with real Kubernetes components and runs commands in them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/kubewright/kubewright/test/bed"
)

const usage = `usage: bed [--name LAB] COMMAND

  build              put everything that machines are made from into the cache
  up [--tool TOOL] [--config FILE] [--control-planes N] [--workers N]
                     boot machines (one of each if nothing is said) behind a load balancer, run "TOOL init" in the first one
                     and "TOOL join" in the others (kubewright or kubeadm), and wait until the cluster is ready
  vm [--tool TOOL] [--config FILE]
                     the same in a virtual machine with a kernel of its own and cgroup version 2, which is gone afterwards
  power [--cuts N] [--seed N]
                     cut the power of a virtual machine while "kubewright init" runs in it, boot it again, and again
  down [--all]       take down the lab, and all labs whose owner died; with --all every lab
  status             what is up
  shell [NODE]       a shell in a machine
  run NODE COMMAND   a command in a machine
  kubectl ARGS       kubectl with the cluster that is up
  keys               where the cache keeps what

The lab is "dev" unless --name says otherwise. The cache is $KUBEWRIGHT_CACHE or /var/cache/kubewright.
`

func main() {
	err := run(os.Args[1:])
	var code exitCode
	switch {
	case errors.As(err, &code):
		os.Exit(int(code))
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bed:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

// option takes a flag with a value out of args.
func option(args []string, name, value string) (string, []string) {
	if len(args) > 1 && args[0] == name {
		return args[1], args[2:]
	}
	return value, args
}

func run(args []string) error {
	if len(args) > 0 && args[0] == "agent" { // in a VM, where there is no cache
		return agent(args[1:])
	}
	cache, err := bed.OpenCache()
	if err != nil {
		return err
	}
	name, args := option(args, "--name", "dev")
	if len(args) == 0 {
		return errUsage
	}
	command, args := args[0], args[1:]
	switch command {
	case "build", "up", "vm", "power", "keys":
		return build(cache, name, command, args)
	case "down":
		return down(cache, name, len(args) > 0 && args[0] == "--all")
	case "lb": // what StartBalancer runs; not for people
		return balance(cache, name)
	case "status":
		return bed.Status(cache, os.Stdout)
	case "shell", "run", "kubectl":
		lab, err := bed.OpenLab(cache, name)
		if err != nil {
			return fmt.Errorf("%w\n(nothing is up: `make up` changes that)", err)
		}
		return in(lab, command, args)
	}
	return errUsage
}

func build(cache bed.Cache, name, command string, args []string) error {
	repo, err := bed.RepoRoot()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bed.Builder{Cache: cache, Repo: repo, Log: os.Stderr, Self: self}
	switch command {
	case "keys":
		return b.Keys(os.Stdout)
	case "build":
		_, err := b.Build()
		return err
	case "vm":
		return vm(b, args)
	case "power":
		return power(b, args)
	}
	up, err := upFlags(args)
	if err != nil {
		return err
	}
	up.Lab, up.Out, up.Log = name, os.Stdout, os.Stderr
	return up.Run(b)
}

func upFlags(args []string) (bed.Up, error) {
	var up bed.Up
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the usage says it
	flags.StringVar(&up.Tool, "tool", "kubewright", "")
	flags.StringVar(&up.Config, "config", "", "")
	flags.IntVar(&up.ControlPlanes, "control-planes", 1, "")
	flags.IntVar(&up.Workers, "workers", 1, "")
	err := flags.Parse(args)
	if err != nil || flags.NArg() > 0 || up.Tool != "kubewright" && up.Tool != "kubeadm" || up.ControlPlanes < 1 || up.Workers < 0 {
		return bed.Up{}, errUsage
	}
	return up, nil
}

// balance is a lab's load balancer. It ends with a signal, or when the lab is gone.
func balance(cache bed.Cache, name string) error {
	lab, err := bed.OpenLab(cache, name)
	if err != nil {
		return err
	}
	return lab.ServeBalancer(context.Background())
}

func down(cache bed.Cache, name string, all bool) error {
	lab, err := bed.OpenLab(cache, name)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	default:
		if err := lab.Down(); err != nil {
			return err
		}
	}
	return bed.SweepLabs(cache, all)
}
