package manifests

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
)

// Scheduler is the static pod of kube-scheduler.
func Scheduler(n Node) *corev1.Pod {
	c := n.Config
	opts := c.Cluster.Scheduler
	f := &flags{}
	f.add("bind-address", loopback4)
	f.add("leader-elect", "true")
	for _, name := range []string{"kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"} {
		f.add(name, config.SchedulerKubeconfig)
	}
	var m mounts
	m.readFile("kubeconfig", config.SchedulerKubeconfig)
	m.extra(opts.ExtraVolumes)
	command := f.command("kube-scheduler", opts.ExtraArgs)
	return component{
		name: config.Scheduler, image: c.Image(config.Scheduler), command: command,
		env: env(n.Proxy, given(opts.ExtraEnvs)), mounts: m, requests: cpu("100m"),
		probes: probes{
			scheme: corev1.URISchemeHTTPS, host: bindHost(opts.ExtraArgs), port: securePort(opts.ExtraArgs, schedulerPort),
			live: "/livez", ready: "/readyz", start: "/livez", within: startWithin(c),
		},
		annotations: n.annotations(nil, command),
	}.pod()
}
