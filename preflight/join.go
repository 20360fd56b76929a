package preflight

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/config"
)

// Joining is what is known about a cluster that a node is to join.
type Joining struct {
	// ControlPlane says that the node is to be a control plane.
	ControlPlane bool
	// Endpoint is where the cluster is joined, "host:port".
	Endpoint string
	// CA is the cluster's CA certificate in PEM, by which our own earlier work is known.
	CA []byte
	// CACertPath is where a worker keeps the CA certificate.
	CACertPath string
	// Skew is how far the API server's clock is ahead of this machine's.
	Skew time.Duration
	// Signs says that this machine makes certificates with the CA's key, those of its kubelet among them.
	Signs bool
}

// Join lists the checks of join, in kubeadm's order. c is the configuration of the cluster with what belongs to this node. A
// machine that joined the same cluster before passes, so that join can be run again.
func Join(c *config.Config, m Machine, resume Resume, j Joining) []Check {
	i := &initChecks{c: c, m: m, resume: resume, join: &j}
	i.kubelet.ask = i.askKubelet
	i.containers.ask = i.askContainers
	checks := []Check{
		{Name: "IsPrivilegedUser", Gate: true, Find: i.privilegedUser},
		i.kubeconfigAvailable(config.KubeletKubeconfig),
		i.kubeconfigAvailable(config.BootstrapKubeletKubeconfig),
		{Name: "ClockSkew", Find: i.clocks},
		{Name: "CRI", Find: i.cri},
		{Name: "ContainerRuntimeVersion", Find: i.runtimeConfig},
		{Name: "Swap", Find: i.swap},
	}
	checks = append(checks, slices.Concat(i.programs(), []Check{
		{Name: "SystemVerification", Limit: kubeletLimit, Find: i.system},
		{Name: "Hostname", Find: i.hostname},
		{Name: "KubeletVersion", Limit: kubeletLimit, Find: i.kubeletSkew},
		{Name: "Service-kubelet", Find: i.kubeletService},
		i.kubeletPort(),
		{Name: "HTTPProxy", Find: i.endpointProxy},
	}, i.forwarding())...)
	if !j.ControlPlane {
		return append(append(checks, i.noControlPlane()...), i.caAvailable(j.CACertPath))
	}
	return append(checks, slices.Concat([]Check{
		{Name: "NumCPU", Find: i.cpus},
		{Name: "Mem", Find: i.memory},
		{Name: "Firewalld", Find: i.firewalld},
	}, i.controlPlanePorts(), i.manifests(), []Check{{Name: "HTTPProxyCIDR", Find: i.proxyCIDR}}, i.etcd(),
		[]Check{{Name: "ImagePull", Find: i.images}})...)
}

// kubeconfigAvailable: a kubeconfig of the kubelet must be of the cluster that is joined, or not there.
func (i *initChecks) kubeconfigAvailable(path string) Check {
	return Check{Name: pathName("FileAvailable", path), Find: func(context.Context) []Finding {
		if !i.m.Host.Exists(path) || i.ofThisCluster(path) {
			return nil
		}
		return failed(path+" is there already, and is not of the cluster that is joined",
			"if this machine is to leave its cluster, reset it first with the tool that made it, as in: kubeadm reset")
	}}
}

// noControlPlane: the kubelet of a worker would start what an earlier control plane has left here.
func (i *initChecks) noControlPlane() []Check {
	var checks []Check
	for _, component := range staticPods {
		path := manifestPath(component)
		checks = append(checks, Check{Name: pathName("FileAvailable", path), Find: func(context.Context) []Finding {
			if !i.m.Host.Exists(path) || i.joined() {
				return nil
			}
			return failed(path+" is there already: the kubelet would run it, and this machine is to be a worker",
				"if it belongs to a cluster that is to go, reset this machine with the tool that made it, as in: kubeadm reset\n"+
					"if it is to be a control-plane node of this cluster, join with --control-plane")
		}})
	}
	return checks
}

func (i *initChecks) caAvailable(path string) Check {
	return Check{Name: pathName("FileAvailable", path), Find: func(context.Context) []Finding {
		have, err := i.m.Host.ReadFile(path)
		if err != nil && !i.m.Host.Exists(path) || sameCA(have, i.join.CA) {
			return nil
		}
		return failed(path+" is there already, and is not the CA of the cluster that is joined",
			"if this machine is to leave its cluster, reset it first with the tool that made it, as in: kubeadm reset")
	}}
}

// joined says that an earlier run of join came as far as the kubelet's credentials.
func (i *initChecks) joined() bool {
	return i.join != nil && (i.ofThisCluster(config.KubeletKubeconfig) || i.ofThisCluster(config.BootstrapKubeletKubeconfig))
}

// ofThisCluster says whether a kubeconfig trusts the CA of the cluster that is joined.
func (i *initChecks) ofThisCluster(path string) bool { return i.trusts(path, i.join.CA) }

// trusts says whether a kubeconfig trusts a CA, or one of a bundle.
func (i *initChecks) trusts(path string, bundle []byte) bool {
	data, err := i.m.Host.ReadFile(path)
	if err != nil {
		return false
	}
	var kc clientcmdapi.Config
	if err := yaml.Unmarshal(data, &kc); err != nil {
		return false
	}
	return slices.ContainsFunc(kc.Clusters, func(c clientcmdapi.NamedCluster) bool {
		ca := c.Cluster.CertificateAuthorityData
		if file := c.Cluster.CertificateAuthority; len(ca) == 0 && file != "" {
			ca, _ = i.m.Host.ReadFile(file)
		}
		return sameCA(ca, bundle)
	})
}

// sameCA says whether two bundles have a certificate in common, as they do while a CA is being replaced.
func sameCA(a, b []byte) bool {
	have, err := certutil.ParseCertsPEM(b)
	if err != nil {
		return false
	}
	mine, err := certutil.ParseCertsPEM(a)
	return err == nil && slices.ContainsFunc(mine, func(cert *x509.Certificate) bool { return slices.ContainsFunc(have, cert.Equal) })
}

// endpointProxy: the cluster should be reached without a proxy.
func (i *initChecks) endpointProxy(context.Context) []Finding {
	host, _, err := net.SplitHostPort(i.join.Endpoint)
	if err != nil {
		return nil
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return nil // NO_PROXY matches names in ways that kubeadm does not check either
	}
	return i.proxied(fmt.Sprintf("https://%s", i.join.Endpoint), host)
}
