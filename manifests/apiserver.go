package manifests

import (
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
)

// APIServerEndpointAnnotation tells join and upgrade where a control-plane node's API server is reached, "address:port".
const APIServerEndpointAnnotation = "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"

// APIServer is the static pod of kube-apiserver.
func APIServer(n Node) *corev1.Pod {
	c := n.Config
	opts, own := c.Cluster.APIServer, c.Init.LocalAPIEndpoint
	f := n.apiServerFlags()
	m := append(n.certMounts(), n.etcdCertMounts()...)
	m.extra(opts.ExtraVolumes)
	endpoint := net.JoinHostPort(own.AdvertiseAddress, strconv.Itoa(int(own.BindPort)))
	command := f.command("kube-apiserver", opts.ExtraArgs)
	return component{
		name: config.APIServer, image: c.Image(config.APIServer), command: command,
		env: env(n.Proxy, given(opts.ExtraEnvs)), mounts: m, requests: cpu("250m"),
		probes: probes{
			scheme: corev1.URISchemeHTTPS, host: probeHost(own.AdvertiseAddress), port: own.BindPort,
			live: "/livez", ready: "/readyz", start: "/livez", within: startWithin(c),
		},
		annotations: n.annotations(map[string]string{APIServerEndpointAnnotation: endpoint}, command),
	}.pod()
}

func (n Node) apiServerFlags() *flags {
	c, f := n.Config, &flags{}
	extra := c.Cluster.APIServer.ExtraArgs
	f.add("advertise-address", c.Init.LocalAPIEndpoint.AdvertiseAddress)
	f.add("allow-privileged", "true")
	// The API server refuses modes on the command line beside those of a file.
	if _, given := config.ArgValue(extra, "authorization-config"); !given {
		f.add("authorization-mode", "Node,RBAC")
	}
	f.add("enable-admission-plugins", "NodeRestriction")
	f.add("enable-bootstrap-token-auth", "true")
	f.add("kubelet-preferred-address-types", "InternalIP,ExternalIP,Hostname")
	f.add("secure-port", strconv.Itoa(int(c.Init.LocalAPIEndpoint.BindPort)))
	f.add("service-account-issuer", "https://kubernetes.default.svc."+c.Cluster.Networking.DNSDomain)
	f.add("service-cluster-ip-range", c.Cluster.Networking.ServiceSubnet)
	f.add("client-ca-file", n.pkiPath("ca.crt"))
	f.add("tls-cert-file", n.pkiPath("apiserver.crt"))
	f.add("tls-private-key-file", n.pkiPath("apiserver.key"))
	f.add("kubelet-client-certificate", n.pkiPath("apiserver-kubelet-client.crt"))
	f.add("kubelet-client-key", n.pkiPath("apiserver-kubelet-client.key"))
	f.add("service-account-key-file", n.pkiPath("sa.pub"))
	f.add("service-account-signing-key-file", n.pkiPath("sa.key"))
	n.frontProxyFlags(f)
	n.etcdClientFlags(f)
	return f
}

// frontProxyFlags let aggregated API servers trust who the API server says a user is.
func (n Node) frontProxyFlags(f *flags) {
	f.add("proxy-client-cert-file", n.pkiPath("front-proxy-client.crt"))
	f.add("proxy-client-key-file", n.pkiPath("front-proxy-client.key"))
	f.add("requestheader-client-ca-file", n.pkiPath("front-proxy-ca.crt"))
	f.add("requestheader-allowed-names", "front-proxy-client")
	f.add("requestheader-extra-headers-prefix", "X-Remote-Extra-")
	f.add("requestheader-group-headers", "X-Remote-Group")
	f.add("requestheader-username-headers", "X-Remote-User")
}

// etcdClientFlags point at the external etcd, or at the local member, over loopback unless the user made it announce another
// address.
func (n Node) etcdClientFlags(f *flags) {
	if e := n.Config.Cluster.Etcd.External; e != nil {
		f.add("etcd-servers", strings.Join(e.Endpoints, ","))
		if e.CAFile != "" {
			f.add("etcd-cafile", e.CAFile)
		}
		if e.CertFile != "" && e.KeyFile != "" {
			f.add("etcd-certfile", e.CertFile)
			f.add("etcd-keyfile", e.KeyFile)
		}
		return
	}
	servers := etcdLocalURL(n.Config)
	if local := n.Config.Cluster.Etcd.Local; local != nil {
		if given, ok := config.ArgValue(local.ExtraArgs, "advertise-client-urls"); ok {
			servers = given
		}
	}
	f.add("etcd-servers", servers)
	f.add("etcd-cafile", n.pkiPath("etcd/ca.crt"))
	f.add("etcd-certfile", n.pkiPath("apiserver-etcd-client.crt"))
	f.add("etcd-keyfile", n.pkiPath("apiserver-etcd-client.key"))
}
