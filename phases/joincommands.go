package phases

// Join is the list of `kubewright join`: a worker, or another control-plane node.
func Join() Command {
	return Command{Name: "join", Phases: []Phase{
		preflightJoin(),
		controlPlanePrepare(),
		checkEtcd(),
		kubeletStartJoin(),
		etcdJoin(),
		kubeletWaitBootstrap(),
		controlPlaneJoin(),
		waitControlPlaneJoin(),
	}}
}
