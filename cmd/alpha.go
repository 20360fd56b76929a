package cmd

import "github.com/spf13/cobra"

// newAlpha is there because kubeadm has it: a place for commands to come.
func newAlpha(*Env) *cobra.Command {
	return &cobra.Command{Use: "alpha", Short: "Commands that are an experiment; there are none at present"}
}
