package manifests

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
)

const (
	controllerManagerPort = 10257
	schedulerPort         = 10259

	// allControllers adds to the default ones those for bootstrap tokens.
	allControllers = "*,bootstrapsigner,tokencleaner"
)

// ControllerManager is the static pod of kube-controller-manager.
func ControllerManager(n Node) *corev1.Pod {
	c := n.Config
	opts := c.Cluster.ControllerManager
	f := n.controllerManagerFlags()
	m := n.certMounts()
	m.readFile("kubeconfig", config.ControllerManagerKubeconfig)
	m.extra(opts.ExtraVolumes)
	command := f.command("kube-controller-manager", opts.ExtraArgs)
	return component{
		name: config.ControllerManager, image: c.Image(config.ControllerManager),
		command: command,
		env:     env(n.Proxy, given(opts.ExtraEnvs)), mounts: m, requests: cpu("200m"),
		probes: probes{
			scheme: corev1.URISchemeHTTPS, host: bindHost(opts.ExtraArgs), port: securePort(opts.ExtraArgs, controllerManagerPort),
			live: "/healthz", start: "/healthz", within: startWithin(c),
		},
		annotations: n.annotations(nil, command),
	}.pod()
}

func (n Node) controllerManagerFlags() *flags {
	c, f := n.Config, &flags{}
	f.add("bind-address", loopback4)
	f.add("leader-elect", "true")
	f.add("cluster-name", c.Cluster.ClusterName)
	f.add("controllers", allControllers)
	f.add("use-service-account-credentials", "true")
	if pods := c.Cluster.Networking.PodSubnet; pods != "" {
		f.add("allocate-node-cidrs", "true")
		f.add("cluster-cidr", pods)
		f.add("service-cluster-ip-range", c.Cluster.Networking.ServiceSubnet)
	}
	for _, name := range []string{"kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"} {
		f.add(name, config.ControllerManagerKubeconfig)
	}
	ca := n.pkiPath("ca.crt")
	f.add("client-ca-file", ca)
	f.add("root-ca-file", ca)
	f.add("requestheader-client-ca-file", n.pkiPath("front-proxy-ca.crt"))
	f.add("service-account-private-key-file", n.pkiPath("sa.key"))
	// Without the CA's key there is nothing to sign with. Empty values turn the signing controllers off.
	key := n.pkiPath("ca.key")
	if n.ExternalCA {
		ca, key = "", ""
	}
	f.add("cluster-signing-cert-file", ca)
	f.add("cluster-signing-key-file", key)
	return f
}
