package manifests

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubewright/kubewright/config"
)

// EtcdClientURLsAnnotation tells other nodes where a member is reached; join reads it from the mirror pods.
const EtcdClientURLsAnnotation = "kubeadm.kubernetes.io/etcd.advertise-client-urls"

const (
	loopback4       = "127.0.0.1"
	loopback6       = "::1"
	etcdClientPort  = 2379
	etcdMetricsPort = 2381
)

// Etcd is the static pod of a local etcd member. It listens for clients on loopback and on the advertise address, for members on
// the latter, and answers probes without TLS on loopback.
func Etcd(n Node) *corev1.Pod {
	c := n.Config
	local := c.Cluster.Etcd.Local
	if local == nil { // an external etcd has no pod; its caller does not ask
		local = &config.LocalEtcd{DataDir: config.DefaultEtcdDataDir}
	}
	f := n.etcdFlags(local)
	var m mounts // data first, then certificates: the order is part of the contract
	m.writeDir("etcd-data", local.DataDir)
	m.writeDir("etcd-certs", n.pkiPath("etcd"))
	requests := cpu("100m")
	requests[corev1.ResourceMemory] = resource.MustParse("100Mi")
	p := etcdProbes(c, local.ExtraArgs)
	command := f.command("etcd", local.ExtraArgs)
	return component{
		name: config.Etcd, image: c.Image(config.Etcd), command: command,
		env: env(given(local.ExtraEnvs)), mounts: m, requests: requests, probes: p,
		annotations: n.annotations(map[string]string{EtcdClientURLsAnnotation: c.EtcdClientURL()}, command),
	}.pod()
}

func (n Node) etcdFlags(local *config.LocalEtcd) *flags {
	c, f := n.Config, &flags{}
	name := c.Init.NodeRegistration.Name
	members := n.EtcdInitialCluster
	if len(members) > 0 {
		f.add("initial-cluster-state", "existing")
	} else {
		members = []EtcdMember{{Name: name, PeerURL: c.EtcdPeerURL()}}
	}
	initial := make([]string, 0, len(members))
	for _, m := range members {
		initial = append(initial, m.Name+"="+m.PeerURL)
	}
	f.add("name", name)
	f.add("data-dir", local.DataDir)
	f.add("initial-cluster", strings.Join(initial, ","))
	f.add("initial-advertise-peer-urls", c.EtcdPeerURL())
	f.add("listen-peer-urls", c.EtcdPeerURL())
	f.add("advertise-client-urls", c.EtcdClientURL())
	f.add("listen-client-urls", etcdLocalURL(c)+","+c.EtcdClientURL())
	f.add("listen-metrics-urls", "http://"+net.JoinHostPort(loopback(c), strconv.Itoa(etcdMetricsPort)))
	f.add("client-cert-auth", "true")
	f.add("peer-client-cert-auth", "true")
	f.add("feature-gates", "InitialCorruptCheck=true")
	f.add("snapshot-count", "10000")
	f.add("watch-progress-notify-interval", "5s")
	f.add("cert-file", n.pkiPath("etcd/server.crt"))
	f.add("key-file", n.pkiPath("etcd/server.key"))
	f.add("trusted-ca-file", n.pkiPath("etcd/ca.crt"))
	f.add("peer-cert-file", n.pkiPath("etcd/peer.crt"))
	f.add("peer-key-file", n.pkiPath("etcd/peer.key"))
	f.add("peer-trusted-ca-file", n.pkiPath("etcd/ca.crt"))
	return f
}

// etcdProbes follow the first of the user's --listen-metrics-urls.
func etcdProbes(c *config.Config, extra []config.Arg) probes {
	p := probes{
		scheme: corev1.URISchemeHTTP, host: loopback(c), port: etcdMetricsPort,
		live: "/livez", ready: "/readyz", start: "/readyz", within: startWithin(c),
	}
	value, given := config.ArgValue(extra, "listen-metrics-urls")
	first, _, _ := strings.Cut(value, ",")
	u, err := url.Parse(first)
	if !given || err != nil {
		return p
	}
	if u.Hostname() != "" {
		p.host = u.Hostname()
	}
	if u.Scheme == "https" {
		p.scheme = corev1.URISchemeHTTPS
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		p.port = int32(port)
	}
	return p
}

// loopback is the loopback address in the family of the advertise address.
func loopback(c *config.Config) string {
	if c.IPv6() {
		return loopback6
	}
	return loopback4
}

// etcdLocalURL is where this machine's own components reach its member.
func etcdLocalURL(c *config.Config) string {
	return "https://" + net.JoinHostPort(loopback(c), strconv.Itoa(etcdClientPort))
}
