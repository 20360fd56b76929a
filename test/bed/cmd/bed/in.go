package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"github.com/kubewright/kubewright/test/bed"
)

// in runs a command in a machine of the lab, or kubectl against its cluster.
func in(lab *bed.Lab, command string, args []string) error {
	if command == "kubectl" {
		return attached(lab.KubectlCommand(context.Background(), args...))
	}
	node := ""
	if len(args) > 0 {
		node, args = args[0], args[1:]
	} else if machines := lab.Machines(); len(machines) > 0 {
		node = machines[0].Name
	}
	m, err := lab.Get(node)
	switch {
	case err != nil:
		return err
	case command == "shell" && len(args) == 0:
		return attached(m.Command("bash", "-l"))
	case len(args) == 0:
		return errUsage
	}
	return attached(m.Command(args...))
}

// attached runs a command with our own input and output.
func attached(cmd *exec.Cmd) error {
	// An interrupt is for the command, which gets it from the terminal too; ignoring it here would make the command ignore it.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exitCode(exit.ExitCode())
	}
	return err
}

// exitCode is that of a command that a user ran; it has said itself what is wrong.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }
