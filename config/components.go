package config

import (
	"net/netip"
	"path"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeproxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

const (
	systemdResolvConf   = "/run/systemd/resolve/resolv.conf"
	kubeProxyKubeconfig = "/var/lib/kube-proxy/kubeconfig.conf"
	kubeletHealthzHost  = "127.0.0.1"
	kubeletHealthzPort  = 10248
	systemdCgroupDriver = "systemd"
)

// defaultKubelet fills what kubeadm manages in the KubeletConfiguration. What the user gave stays, with a warning when it
// differs; only rotateCertificates is forced, because false cannot be told from absent.
func (c *Config) defaultKubelet() {
	if c.Kubelet == nil {
		c.Kubelet = &KubeletConfiguration{}
	}
	k := c.Kubelet
	k.TypeMeta = metav1.TypeMeta{APIVersion: kubeletv1beta1.SchemeGroupVersion.String(), Kind: kubeletKind}
	if k.FeatureGates == nil {
		k.FeatureGates = map[string]bool{}
	}
	if dns := c.DNSIP(); dns.IsValid() {
		if k.ClusterDNS == nil {
			k.ClusterDNS = []string{dns.String()}
		}
		if want := []string{dns.String()}; !slices.Equal(k.ClusterDNS, want) {
			c.differs(kubeletKind, "clusterDNS", want, k.ClusterDNS)
		}
	}
	recommend(c, kubeletKind, "staticPodPath", &k.StaticPodPath, ManifestsDir)
	recommend(c, kubeletKind, "clusterDomain", &k.ClusterDomain, c.Cluster.Networking.DNSDomain)
	recommend(c, kubeletKind, "authentication.x509.clientCAFile", &k.Authentication.X509.ClientCAFile,
		path.Join(c.Cluster.CertificatesDir, "ca.crt"))
	recommendPointer(c, kubeletKind, "authentication.anonymous.enabled", &k.Authentication.Anonymous.Enabled, false)
	recommendPointer(c, kubeletKind, "authentication.webhook.enabled", &k.Authentication.Webhook.Enabled, true)
	recommend(c, kubeletKind, "authorization.mode", &k.Authorization.Mode, kubeletv1beta1.KubeletAuthorizationModeWebhook)
	recommend(c, kubeletKind, "healthzBindAddress", &k.HealthzBindAddress, kubeletHealthzHost)
	recommendPointer(c, kubeletKind, "healthzPort", &k.HealthzPort, kubeletHealthzPort)
	recommend(c, kubeletKind, "readOnlyPort", &k.ReadOnlyPort, 0)
	k.RotateCertificates = true
	setDefault(&k.CgroupDriver, systemdCgroupDriver)
	if c.SystemdResolved && k.ResolverConfig != nil && *k.ResolverConfig != systemdResolvConf {
		c.differs(kubeletKind, "resolvConf", systemdResolvConf, *k.ResolverConfig)
	}
}

// NodeKubelet is what the kubelet of this machine reads: the cluster's configuration with the machine's resolver list and
// container runtime. Call it after SetDefaults.
func (c *Config) NodeKubelet() *KubeletConfiguration {
	k := c.Kubelet.DeepCopy()
	if c.SystemdResolved && k.ResolverConfig == nil {
		resolv := systemdResolvConf
		k.ResolverConfig = &resolv
	}
	k.ContainerRuntimeEndpoint = c.Init.NodeRegistration.CRISocket
	return k
}

// defaultProxy fills what kubeadm manages in the KubeProxyConfiguration.
func (c *Config) defaultProxy() {
	if c.Proxy == nil {
		c.Proxy = &KubeProxyConfiguration{}
	}
	p := c.Proxy
	p.TypeMeta = metav1.TypeMeta{APIVersion: kubeproxyv1alpha1.SchemeGroupVersion.String(), Kind: proxyKind}
	if p.FeatureGates == nil {
		p.FeatureGates = map[string]bool{}
	}
	setDefault(&p.BindAddress, wildcard(c.Init.LocalAPIEndpoint.AdvertiseAddress))
	switch a, err := netip.ParseAddr(p.BindAddress); {
	case err != nil:
		c.warn("%s.bindAddress: %q is not an IP address", proxyKind, p.BindAddress)
	case !a.IsUnspecified():
		c.differs(proxyKind, "bindAddress", wildcard(p.BindAddress), p.BindAddress)
	}
	if pods := c.Cluster.Networking.PodSubnet; pods != "" {
		recommend(c, proxyKind, "clusterCIDR", &p.ClusterCIDR, pods)
	}
	recommend(c, proxyKind, "clientConnection.kubeconfig", &p.ClientConnection.Kubeconfig, kubeProxyKubeconfig)
	setDefault(&p.Mode, "iptables")
	if p.Mode == "ipvs" {
		c.warn(`%s.mode: "ipvs" is deprecated since 1.35; use "nftables", or "iptables" on older kernels`, proxyKind)
	}
}

// wildcard is the address that means "all addresses" in the family of address.
func wildcard(address string) string {
	if a, err := netip.ParseAddr(address); err == nil && a.Unmap().Is4() {
		return netip.IPv4Unspecified().String()
	}
	return netip.IPv6Unspecified().String()
}

func (c *Config) differs(kind, field string, recommended, given any) {
	c.warn("%s.%s: recommended is %v, given is %v", kind, field, recommended, given)
}

func recommend[T comparable](c *Config, kind, name string, field *T, value T) {
	setDefault(field, value)
	if *field != value {
		c.differs(kind, name, value, *field)
	}
}

func recommendPointer[T comparable](c *Config, kind, name string, field **T, value T) {
	if *field == nil {
		*field = &value
	}
	if **field != value {
		c.differs(kind, name, value, **field)
	}
}
