package config

import (
	"encoding/hex"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// certificateKeyBytes is the size of an AES-256 key.
const certificateKeyBytes = 32

// Validate says everything that is wrong with the input, each problem with the path of its field in v1beta4 and with what
// would be right. Call it after SetDefaults.
func (c *Config) Validate() error {
	p := &problems{}
	c.Init.NodeRegistration.check(p)
	checkCertificateKey(p, "certificateKey", c.Init.CertificateKey, "leave it out to have one made")
	c.checkTokens(p)
	c.checkEndpoints(p)
	c.Init.Timeouts.check(p)
	c.checkVersion(p)
	c.checkNetworking(p)
	c.checkEtcd(p)
	c.checkPKI(p)
	c.checkComponents(p)
	c.checkImages(p)
	c.checkFeatureGates(p)
	return p.err()
}

func (n *NodeRegistrationOptions) check(p *problems) {
	const field = "nodeRegistration."
	switch {
	case n.Name == "":
		p.add(field+"name", "the host name is not known; set the field or --node-name")
	case len(validation.IsDNS1123Subdomain(n.Name)) > 0:
		p.add(field+"name", "%q is not a DNS name (RFC 1123): use lower-case letters, digits, '-' and '.', at most 253 characters", n.Name)
	}
	checkSocket(p, field+"criSocket", n.CRISocket)
	checkArgs(p, field+"kubeletExtraArgs", n.KubeletExtraArgs)
	checkPullPolicy(p, field+"imagePullPolicy", n.ImagePullPolicy)
	checkIgnored(p, field+"ignorePreflightErrors", n.IgnorePreflightErrors)
}

func checkPullPolicy(p *problems, field string, policy corev1.PullPolicy) {
	switch policy {
	case "", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		p.add(field, "%q is not one of Always, IfNotPresent, Never", policy)
	}
}

// checkIgnored judges names of checks whose errors are ignored. Case and repetition do not matter.
func checkIgnored(p *problems, field string, checks []string) {
	isAll := func(name string) bool { return strings.EqualFold(strings.TrimSpace(name), "all") }
	if slices.ContainsFunc(checks, isAll) && slices.ContainsFunc(checks, func(name string) bool { return !isAll(name) }) {
		p.add(field, "all stands for every check; name no others beside it")
	}
}

// checkCertificateKey does not repeat the key, which is a secret. without says what becomes of an empty one.
func checkCertificateKey(p *problems, field, text, without string) {
	if key, err := hex.DecodeString(text); text != "" && (err != nil || len(key) != certificateKeyBytes) {
		p.add(field, "want %d bytes as %d hexadecimal digits; %s", certificateKeyBytes, 2*certificateKeyBytes, without)
	}
}

func checkSocket(p *problems, field, socket string) {
	u, err := url.Parse(socket)
	switch {
	case socket == "":
		p.add(field, "no container runtime was found; set the field, as in unix:///var/run/containerd/containerd.sock")
	case err != nil:
		p.add(field, "%q is not a URL; write it as unix:///var/run/containerd/containerd.sock", socket)
	case u.Scheme != unixScheme:
		p.add(field, "%q must start with %s://", socket, unixScheme)
	case u.Path == "" || u.Host != "":
		p.add(field, "%q must hold an absolute path: %s:///path/to/socket", socket, unixScheme)
	}
}

func (c *Config) checkEndpoints(p *problems) {
	c.Init.LocalAPIEndpoint.check(p, "localAPIEndpoint.")
	if c.Cluster.ControlPlaneEndpoint != "" {
		if _, _, err := ParseHostPort(c.Cluster.ControlPlaneEndpoint); err != nil {
			p.add("controlPlaneEndpoint", "%v", err)
		}
	}
}

// check judges the endpoint whose path, with a dot at its end, is field.
func (e *APIEndpoint) check(p *problems, field string) {
	address, err := netip.ParseAddr(e.AdvertiseAddress)
	switch {
	case e.AdvertiseAddress == "":
		p.add(field+"advertiseAddress", "no address was found (is there a default route?); set the field or --apiserver-advertise-address")
	case err != nil:
		p.add(field+"advertiseAddress", "%q is not an IP address", e.AdvertiseAddress)
	case address.Zone() != "" || !address.IsGlobalUnicast():
		p.add(field+"advertiseAddress", "%s cannot be reached by other nodes; give a global unicast address", e.AdvertiseAddress)
	}
	if e.BindPort < 1 || e.BindPort > 65535 {
		p.add(field+"bindPort", "%d is not a port; want a number from 1 to 65535", e.BindPort)
	}
}

func (c *Config) checkVersion(p *problems) {
	const field = "kubernetesVersion"
	text := c.Cluster.KubernetesVersion
	v, err := ParseVersion(text)
	switch {
	case IsVersionLabel(text):
		p.add(field, "the label %q was not resolved; give a version such as %s", text, DefaultKubernetesVersion)
	case err != nil:
		p.add(field, "%q is neither a version such as %s nor a label such as stable-1.%d", text, DefaultKubernetesVersion, MaximumMinor)
	case !v.Supported():
		p.add(field, "%s is not supported; this release makes control planes of 1.%d and 1.%d", text, MinimumMinor, MaximumMinor)
	}
}

func (c *Config) checkImages(p *problems) {
	k := c.Cluster
	checkRepository(p, "imageRepository", k.ImageRepository)
	checkImageMeta(p, "dns", k.DNS.ImageMeta)
	if k.Etcd.Local != nil {
		checkImageMeta(p, "etcd.local", k.Etcd.Local.ImageMeta)
	}
}

func checkImageMeta(p *problems, field string, m ImageMeta) {
	if m.ImageRepository != "" {
		checkRepository(p, field+".imageRepository", m.ImageRepository)
	}
	if m.ImageTag != "" && !tagPattern().MatchString(m.ImageTag) {
		p.add(field+".imageTag", "%q is not an image tag: use letters, digits, '_', '.' and '-', at most 128; a digest may follow as @sha256:<64 digits>", m.ImageTag)
	}
}

// The grammar of image references (OCI distribution, "Pulling manifests"): a host with an optional port and path parts.
var (
	tagPattern  = newPattern(`^\w[\w.-]{0,127}(@sha256:[0-9a-f]{64})?$`)
	hostPattern = newPattern(`^(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(\.([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[0-9a-fA-F:]+\])(:[0-9]+)?$`)
	partPattern = newPattern(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$`)
)

func checkRepository(p *problems, field, repository string) {
	host, rest, _ := strings.Cut(repository, "/")
	ok := hostPattern().MatchString(host) || partPattern().MatchString(host)
	if rest != "" || strings.HasSuffix(repository, "/") {
		for part := range strings.SplitSeq(rest, "/") {
			ok = ok && partPattern().MatchString(part)
		}
	}
	if !ok {
		p.add(field, "%q is not the prefix of an image reference; write it as registry.example.com:5000/path, without a scheme", repository)
	}
}

func checkAbsolute(p *problems, field, file string) {
	if !path.IsAbs(file) {
		p.add(field, "%q must be an absolute path", file)
	}
}
