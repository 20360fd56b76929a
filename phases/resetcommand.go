package phases

// Reset is the list of `kubewright reset`: what init or join made of this machine is taken back.
func Reset() Command {
	return Command{Name: "reset", Phases: []Phase{
		preflightReset(),
		removeNode(),
		removeEtcdMember(),
		cleanupNode(),
	}}
}
