package phases

// Init is the list of `kubewright init`: the first control-plane node of a cluster.
func Init() Command {
	return Command{Name: "init", Phases: []Phase{
		preflightInit(),
		certs(),
		kubeconfig(),
		etcdLocal(),
		controlPlane(),
		kubeletStart(),
		waitControlPlane(),
		uploadConfig(),
		uploadCerts(),
		markControlPlane(),
		bootstrapToken(),
		kubeletFinalize(),
		addon(),
		showJoinCommand(),
	}}
}
