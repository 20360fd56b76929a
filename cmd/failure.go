package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubewright/kubewright/cause"
)

// fail tells why a command failed, as text on stderr or as the last event on stdout, and returns the exit code: that of the cause,
// or kubeadm's only one in kubeadm's place.
func (e *Env) fail(c *cobra.Command, args []string, err error) int {
	if !e.entered { // nothing but the command line can be wrong yet
		err = cause.Usage.Mark(err)
	}
	why := cause.Of(err)
	code := why.Exit()
	if e.program() == Kubeadm {
		code = cause.Other.Exit()
	}
	message := e.program().says(err.Error())
	if form := e.eventForm(c, args); form != "" {
		newEvents(e, form).emit(event{Event: "error", Message: message, Cause: why, ExitCode: code, Run: e.run})
		return code
	}
	fmt.Fprintln(e.Stderr, "error: "+message)
	return code
}

// eventForm is json or yaml where the command was to print for machines, else "". Where the command line can't be read it may stand
// behind what is wrong. What kubeadm prints for machines has no events: its errors are text.
func (e *Env) eventForm(c *cobra.Command, args []string) string {
	flag := c.Flags().Lookup("output")
	if flag == nil || e.program() == Kubeadm && flag.Annotations[onlyOurs] == nil {
		return ""
	}
	form := flag.Value.String()
	if !e.entered {
		form = givenOutput(args)
	}
	if slices.Contains([]string{"json", "yaml"}, form) {
		return form
	}
	return ""
}

// givenOutput finds the value of -o in a command line that can't be read.
func givenOutput(args []string) string {
	for i, arg := range args {
		for _, flag := range []string{"--output", "-o"} {
			if arg == flag && i+1 < len(args) {
				return args[i+1]
			}
			if value, ok := strings.CutPrefix(arg, flag); ok {
				return strings.TrimPrefix(value, "=")
			}
		}
	}
	return ""
}
