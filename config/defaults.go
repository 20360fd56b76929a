package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// APIVersion is the version of kubeadm's configuration that all commands read, and that the cluster keeps.
	APIVersion = "kubeadm.k8s.io/v1beta4"
	// experimentalVersion differs from it by Arg.MergeMethod. Only commands that work on files, and reset, read it.
	experimentalVersion = "kubeadm.k8s.io/v1"
	// ControlPlaneTaintKey keeps ordinary pods off control-plane nodes; it is also the label of such nodes.
	ControlPlaneTaintKey = "node-role.kubernetes.io/control-plane"

	defaultClusterName    = "kubernetes"
	generatedDescription  = "made by kubewright for the first nodes that join"
	defaultLeafValidity   = 365 * 24 * time.Hour
	defaultCAValidity     = 10 * defaultLeafValidity
	unixScheme            = "unix"
	defaultFieldRefAPI    = "v1"
	defaultEncryptionType = EncryptionAlgorithmECDSAP256
)

// Dynamic is what defaults depend on and what only the machine knows. Empty values leave the fields as they are.
type Dynamic struct {
	// Hostname is the machine's host name, in any case.
	Hostname string
	// AdvertiseAddress is the address of the default route's interface. It also replaces an unspecified or loopback
	// address that the user gave, which stand for "choose one".
	AdvertiseAddress string
	// CRISocket is the endpoint of the container runtime that was found, with its scheme.
	CRISocket string
	// Token makes a bootstrap token; nil leaves missing tokens out.
	Token func() (string, error)
	// SystemdResolved says that systemd-resolved runs.
	SystemdResolved bool
	// Version is what a version label was resolved to, or what to deploy when nothing was asked for.
	Version string
}

// SetDefaults fills every field that was left out. Doing it twice is the same as doing it once. Wrong values are left alone
// for Validate; the only error is that a token cannot be made.
func (c *Config) SetDefaults(d Dynamic) error {
	c.SystemdResolved = c.SystemdResolved || d.SystemdResolved
	c.defaultCluster(d)
	if err := c.defaultInit(d); err != nil {
		return err
	}
	c.defaultEndpoint()
	c.defaultKubelet()
	c.defaultProxy()
	c.warnFeatureGates()
	c.warnValidity()
	c.warnSiteLocal()
	return nil
}

func (c *Config) defaultCluster(d Dynamic) {
	k := &c.Cluster
	k.TypeMeta = metav1.TypeMeta{APIVersion: APIVersion, Kind: clusterKind}
	c.defaultVersion(d.Version)
	setDefault(&k.Networking.ServiceSubnet, DefaultServiceSubnet)
	setDefault(&k.Networking.DNSDomain, DefaultDNSDomain)
	setDefault(&k.CertificatesDir, DefaultCertificatesDir)
	setDefault(&k.ImageRepository, DefaultImageRepository)
	setDefault(&k.ClusterName, defaultClusterName)
	setDefault(&k.EncryptionAlgorithm, defaultEncryptionType)
	setDuration(&k.CertificateValidityPeriod, defaultLeafValidity)
	setDuration(&k.CACertificateValidityPeriod, defaultCAValidity)
	for i, name := range k.APIServer.CertSANs {
		k.APIServer.CertSANs[i] = strings.ToLower(name)
	}
	if k.Etcd.Local == nil && k.Etcd.External == nil {
		k.Etcd.Local = &LocalEtcd{}
	}
	if k.Etcd.Local != nil {
		setDefault(&k.Etcd.Local.DataDir, DefaultEtcdDataDir)
		defaultEnvs(k.Etcd.Local.ExtraEnvs)
	}
	if e := k.Etcd.External; e != nil && len(e.HTTPEndpoints) == 0 && len(e.Endpoints) > 0 {
		e.HTTPEndpoints = append([]string(nil), e.Endpoints...)
	}
	defaultEnvs(k.APIServer.ExtraEnvs)
	defaultEnvs(k.ControllerManager.ExtraEnvs)
	defaultEnvs(k.Scheduler.ExtraEnvs)
}

// defaultVersion replaces nothing or a label by a version, and writes versions with their v. A CI build needs nobody to look it up.
func (c *Config) defaultVersion(resolved string) {
	v := &c.Cluster.KubernetesVersion
	if resolved == "" && IsVersionLabel(*v) && LabelURL(*v) == "" {
		resolved = strings.TrimPrefix(*v, ciPrefix)
	}
	if IsVersionLabel(*v) && resolved != "" {
		c.CI = strings.HasPrefix(*v, ciPrefix)
		*v = resolved
	}
	setDefault(v, resolved)
	setDefault(v, DefaultKubernetesVersion)
	if parsed, err := ParseVersion(*v); err == nil {
		*v = parsed.String()
	}
}

func (c *Config) defaultInit(d Dynamic) error {
	i := &c.Init
	i.TypeMeta = metav1.TypeMeta{APIVersion: APIVersion, Kind: initKind}
	if err := i.defaultTokens(d.Token); err != nil {
		return err
	}
	for n := range i.BootstrapTokens {
		if t := &i.BootstrapTokens[n]; t.Generated {
			setDefault(&t.Description, generatedDescription)
		}
	}
	setDefault(&i.LocalAPIEndpoint.BindPort, defaultBindPort)
	i.LocalAPIEndpoint.defaultAddress(d.AdvertiseAddress)
	i.NodeRegistration.setDefaults(d, true, c.warn)
	if i.Timeouts == nil {
		i.Timeouts = &Timeouts{}
	}
	i.Timeouts.setDefaults()
	return nil
}

// setDefaults fills the registration of a node. A worker has no taints of its own.
func (n *NodeRegistrationOptions) setDefaults(d Dynamic, controlPlane bool, warn func(string, ...any)) {
	setDefault(&n.Name, d.Hostname)
	n.Name = strings.ToLower(strings.TrimSpace(n.Name))
	if n.Taints == nil && controlPlane {
		n.Taints = []corev1.Taint{{Key: ControlPlaneTaintKey, Effect: corev1.TaintEffectNoSchedule}}
	}
	defaultSocket(&n.CRISocket, d.CRISocket, "nodeRegistration.criSocket", warn)
	setDefault(&n.ImagePullPolicy, corev1.PullIfNotPresent)
	if n.ImagePullSerial == nil {
		serial := true
		n.ImagePullSerial = &serial
	}
}

// defaultSocket takes the endpoint that was found unless one was given, and completes one that is only a path.
func defaultSocket(socket *string, found, field string, warn func(string, ...any)) {
	setDefault(socket, found)
	if strings.HasPrefix(*socket, "/") {
		warn("%s: %q has no scheme; write %s://%[2]s", field, *socket, unixScheme)
		*socket = unixScheme + "://" + *socket
	}
}

// defaultTokens makes sure that there is one token. A lifetime is the default only without an end of life, and the group only
// for tokens that authenticate: kubeadm always sets both and then refuses what it made.
func (i *InitConfiguration) defaultTokens(token func() (string, error)) error {
	if len(i.BootstrapTokens) == 0 {
		i.BootstrapTokens = []BootstrapToken{{}}
	}
	for n := range i.BootstrapTokens {
		t := &i.BootstrapTokens[n]
		if t.Expires == nil {
			setDuration(&t.TTL, DefaultTokenTTL)
		}
		if len(t.Usages) == 0 {
			t.Usages = []string{tokenSigning, tokenAuthentication}
		}
		if len(t.Groups) == 0 && slices.Contains(t.Usages, tokenAuthentication) {
			t.Groups = []string{NodeBootstrapTokenAuthGroup}
		}
		if t.Token != nil && t.Token.String() != "" || token == nil {
			continue
		}
		text, err := token()
		if err != nil {
			return fmt.Errorf("cannot make a bootstrap token: %w", err)
		}
		id, secret, err := ParseToken(text)
		if err != nil {
			return err
		}
		t.Token, t.Generated = &BootstrapTokenString{ID: id, Secret: secret}, true
	}
	return nil
}

func (e *APIEndpoint) defaultAddress(found string) {
	a, err := netip.ParseAddr(e.AdvertiseAddress)
	choose := e.AdvertiseAddress == "" || err == nil && (a.IsUnspecified() || a.IsLoopback())
	if choose && found != "" {
		e.AdvertiseAddress = found
	}
}

// defaultEndpoint adds the port to the shared endpoint, so that nodes with another port can join later.
func (c *Config) defaultEndpoint() {
	host, port, err := ParseHostPort(c.Cluster.ControlPlaneEndpoint)
	bind := strconv.Itoa(int(c.Init.LocalAPIEndpoint.BindPort))
	switch {
	case err != nil:
	case port == "":
		c.Cluster.ControlPlaneEndpoint = net.JoinHostPort(host, bind)
	case port != bind:
		c.warn("controlPlaneEndpoint: its port %s is used instead of localAPIEndpoint.bindPort %s in kubeconfigs", port, bind)
	}
}

func (t *Timeouts) setDefaults() {
	setDuration(&t.ControlPlaneComponentHealthCheck, 4*time.Minute)
	setDuration(&t.KubeletHealthCheck, 4*time.Minute)
	setDuration(&t.KubernetesAPICall, time.Minute)
	setDuration(&t.EtcdAPICall, 2*time.Minute)
	setDuration(&t.TLSBootstrap, 5*time.Minute)
	setDuration(&t.Discovery, 5*time.Minute)
	setDuration(&t.UpgradeManifests, 5*time.Minute)
}

func defaultEnvs(envs []EnvVar) {
	for _, e := range envs {
		if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
			setDefault(&e.ValueFrom.FieldRef.APIVersion, defaultFieldRefAPI)
		}
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func setDuration(field **metav1.Duration, value time.Duration) {
	if *field == nil {
		*field = &metav1.Duration{Duration: value}
	}
}
