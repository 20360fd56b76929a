package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubewright/kubewright/test/bed"
)

// vm makes a cluster in a virtual machine. An interrupt ends the VM too, and cleans up.
func vm(b *bed.Builder, args []string) error {
	v := bed.VM{Out: os.Stdout, Log: os.Stderr}
	v.Tool, args = option(args, "--tool", "kubewright")
	v.Config, args = option(args, "--config", "")
	if len(args) > 0 || v.Tool != "kubewright" && v.Tool != "kubeadm" {
		return errUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := v.Run(ctx, b)
	if ctx.Err() != nil {
		return errors.New("interrupted; the VM is gone")
	}
	return err
}

// agent is the other end of a VM's line to the host. It runs in the VM.
func agent(args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	line, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer line.Close()
	return bed.Agent(line)
}
