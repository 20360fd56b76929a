package phases

// showJoinCommand prints what to do next. It has nothing to change, so its text is made by the command that ran the plan.
func showJoinCommand() Phase {
	return Phase{
		Name: "show-join-command", About: "Print how to use the cluster and how to join nodes",
		Flags: []string{"config", "kubeconfig", "skip-certificate-key-print", "skip-token-print"},
	}
}
