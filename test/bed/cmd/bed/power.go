package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubewright/kubewright/test/bed"
)

// power cuts the power of a virtual machine again and again. An interrupt ends it, and cleans up.
func power(b *bed.Builder, args []string) error {
	p, err := powerFlags(args)
	if err != nil {
		return err
	}
	p.Out, p.Log = os.Stdout, os.Stderr
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = p.Run(ctx, b)
	if ctx.Err() != nil {
		return errors.New("interrupted; the VM is gone")
	}
	return err
}

// powerFlags takes any seed where none is given, or 0.
func powerFlags(args []string) (bed.Power, error) {
	var p bed.Power
	flags := flag.NewFlagSet("power", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the usage says it
	flags.IntVar(&p.Cuts, "cuts", 10, "")
	flags.Uint64Var(&p.Seed, "seed", 0, "")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || p.Cuts < 1 {
		return bed.Power{}, errUsage
	}
	if p.Seed == 0 {
		p.Seed = rand.Uint64N(1e9)
	}
	return p, nil
}
