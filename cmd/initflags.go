package cmd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/config"
)

// initFlags are the flags of init and its phases. They have kubeadm's names and meaning.
type initFlags struct {
	runFlags
	configFile string
	// phase is the one phase that is run, or empty for all.
	phase string

	advertiseAddress, certDir, certificateKey, controlPlaneEndpoint, criSocket, featureGates, imageRepository string
	kubernetesVersion, nodeName, patches, podCIDR, serviceCIDR, serviceDomain, token                          string
	bindPort                                                                                                  int32
	certSANs, ignorePreflight, skipPhases                                                                     []string
	tokenTTL                                                                                                  time.Duration
	uploadCerts, skipKeyPrint, skipTokenPrint, printManifest                                                  bool
	kubeconfig, kubeconfigDir                                                                                 string
	extraArgs                                                                                                 [3]map[string]string
}

// flagSet declares all of them; a phase picks those that it understands.
func (f *initFlags) flagSet() *pflag.FlagSet {
	s := pflag.NewFlagSet("init", pflag.ContinueOnError)
	s.StringVar(&f.configFile, "config", "", "file with the configuration (kubeadm.k8s.io/v1beta4); - is stdin")
	s.BoolVar(&f.dryRun, "dry-run", false, "print what would be changed, and change nothing")
	s.StringVar(&f.advertiseAddress, "apiserver-advertise-address", "", "IP address that the API server announces (default: that of the default route)")
	s.Int32Var(&f.bindPort, "apiserver-bind-port", 6443, "port of the API server")
	s.StringSliceVar(&f.certSANs, "apiserver-cert-extra-sans", nil, "more IP addresses and DNS names for the API server's certificate")
	s.StringVar(&f.certDir, "cert-dir", config.DefaultCertificatesDir, "directory of keys and certificates")
	s.StringVar(&f.certificateKey, "certificate-key", "", "key that encrypts the uploaded certificates: 64 hexadecimal digits (default: random)")
	s.StringVar(&f.controlPlaneEndpoint, "control-plane-endpoint", "", "stable host[:port] that all control-plane nodes share")
	s.StringVar(&f.criSocket, "cri-socket", "", "socket of the container runtime (default: the one that is there)")
	s.StringVar(&f.featureGates, "feature-gates", "", "kubeadm's feature gates: name=true,...")
	s.StringSliceVar(&f.ignorePreflight, "ignore-preflight-errors", nil, "checks whose errors become warnings; all means every check")
	s.StringVar(&f.imageRepository, "image-repository", config.DefaultImageRepository, "registry of the control-plane images")
	s.StringVar(&f.kubernetesVersion, "kubernetes-version", config.DefaultKubernetesVersion, "version of the control plane, or a label such as stable-1.37")
	s.StringVar(&f.nodeName, "node-name", "", "name of the node (default: the host name)")
	s.StringVar(&f.patches, "patches", "", "directory with patches: target[suffix][+type].extension")
	s.StringVar(&f.podCIDR, "pod-network-cidr", "", "IP range of pods; with it, every node gets a part of it")
	s.StringVar(&f.serviceCIDR, "service-cidr", config.DefaultServiceSubnet, "IP range of services")
	s.StringVar(&f.serviceDomain, "service-dns-domain", config.DefaultDNSDomain, "DNS domain of services")
	s.BoolVar(&f.skipKeyPrint, "skip-certificate-key-print", false, "don't print the key of the uploaded certificates")
	s.StringSliceVar(&f.skipPhases, "skip-phases", nil, "phases to leave out")
	s.BoolVar(&f.skipTokenPrint, "skip-token-print", false, "don't print the bootstrap token")
	s.StringVar(&f.token, "token", "", "bootstrap token, [a-z0-9]{6}.[a-z0-9]{16} (default: random)")
	s.DurationVar(&f.tokenTTL, "token-ttl", 24*time.Hour, "how long the token is good; 0 means for ever")
	s.BoolVar(&f.uploadCerts, "upload-certs", false, "upload the shared certificates, encrypted, for other control-plane nodes")
	s.StringVar(&f.kubeconfig, "kubeconfig", config.AdminKubeconfig, "credentials for talking to the cluster")
	s.StringVar(&f.kubeconfigDir, "kubeconfig-dir", config.KubernetesDir, "directory for kubeconfig files")
	s.BoolVar(&f.printManifest, "print-manifest", false, "print the addon's manifest instead of applying it")
	for i, name := range extraArgFlags {
		s.StringToStringVar(&f.extraArgs[i], name, nil, "more flags of the component: name=value,...")
		_ = s.MarkHidden(name)
	}
	return s
}

// extraArgFlags are kubeadm's hidden flags of `init phase control-plane`.
var extraArgFlags = [3]string{"apiserver-extra-args", "controller-manager-extra-args", "scheduler-extra-args"}

// withConfig lists the flags that may stand beside --config; the others would say the same thing twice.
var withConfig = []string{
	"config", "ignore-preflight-errors", "dry-run", "kubeconfig", "node-name", "kubeconfig-dir", "upload-certs", "replace-node",
	"print-manifest", "output", "root", "rootfs", "v", "vmodule", "timeline", "no-wait", "cni", "force", "force-data-loss", "wipe-etcd",
}

// checkMixed refuses flags that --config makes ambiguous.
func checkMixed(flags *pflag.FlagSet) error {
	if !flags.Changed("config") {
		return nil
	}
	var mixed []string
	flags.Visit(func(f *pflag.Flag) {
		if !slices.Contains(withConfig, f.Name) && !strings.HasPrefix(f.Name, "skip-") {
			mixed = append(mixed, "--"+f.Name)
		}
	})
	if mixed == nil {
		return nil
	}
	return fmt.Errorf("cannot mix --config with %s: set it in the configuration file", strings.Join(mixed, ", "))
}

// absolutePaths makes paths of kubeconfigs absolute that are relative to the working directory, as kubeadm takes them. That is a
// place on this machine, and none below another root.
func (f *initFlags) absolutePaths() error {
	for _, p := range []struct {
		flag string
		path *string
	}{{"kubeconfig", &f.kubeconfig}, {"kubeconfig-dir", &f.kubeconfigDir}} {
		path, err := absolute(p.flag, *p.path, f.elsewhere())
		if err != nil {
			return err
		}
		*p.path = path
	}
	return nil
}

// apply puts the flags that were given into the configuration.
func (f *initFlags) apply(flags *pflag.FlagSet, c *config.Config) error {
	set := func(name string, to *string, value string) {
		if flags.Changed(name) {
			*to = value
		}
	}
	set("apiserver-advertise-address", &c.Init.LocalAPIEndpoint.AdvertiseAddress, f.advertiseAddress)
	set("cert-dir", &c.Cluster.CertificatesDir, f.certDir)
	set("certificate-key", &c.Init.CertificateKey, f.certificateKey)
	set("control-plane-endpoint", &c.Cluster.ControlPlaneEndpoint, f.controlPlaneEndpoint)
	set("cri-socket", &c.Init.NodeRegistration.CRISocket, f.criSocket)
	set("image-repository", &c.Cluster.ImageRepository, f.imageRepository)
	set("kubernetes-version", &c.Cluster.KubernetesVersion, f.kubernetesVersion)
	set("node-name", &c.Init.NodeRegistration.Name, f.nodeName)
	set("pod-network-cidr", &c.Cluster.Networking.PodSubnet, f.podCIDR)
	set("service-cidr", &c.Cluster.Networking.ServiceSubnet, f.serviceCIDR)
	set("service-dns-domain", &c.Cluster.Networking.DNSDomain, f.serviceDomain)
	if flags.Changed("apiserver-bind-port") {
		c.Init.LocalAPIEndpoint.BindPort = f.bindPort
	}
	if flags.Changed("apiserver-cert-extra-sans") {
		c.Cluster.APIServer.CertSANs = f.certSANs
	}
	if f.patches != "" {
		c.Init.Patches = &config.Patches{Directory: f.patches}
	}
	if flags.Changed("dry-run") {
		c.Init.DryRun = f.dryRun
	}
	c.Init.NodeRegistration.IgnorePreflightErrors = append(c.Init.NodeRegistration.IgnorePreflightErrors, f.ignorePreflight...)
	if len(f.skipPhases) > 0 {
		c.Init.SkipPhases = f.skipPhases
	}
	f.applyExtraArgs(c)
	if flags.Changed("token") || flags.Changed("token-ttl") {
		if err := f.applyToken(flags, c); err != nil {
			return err
		}
	}
	if flags.Changed("feature-gates") {
		gates, err := config.ParseFeatureGates(f.featureGates)
		if err != nil {
			return fmt.Errorf("cannot read --feature-gates: %w", err)
		}
		c.Cluster.FeatureGates = gates
	}
	return nil
}

func (f *initFlags) applyToken(flags *pflag.FlagSet, c *config.Config) error {
	t := config.BootstrapToken{TTL: &metav1.Duration{Duration: f.tokenTTL}}
	if f.token != "" {
		id, secret, err := config.ParseToken(f.token)
		if err != nil {
			return fmt.Errorf("cannot use --token: %w", err)
		}
		t.Token = &config.BootstrapTokenString{ID: id, Secret: secret}
	}
	c.Init.BootstrapTokens = []config.BootstrapToken{t}
	return nil
}

func (f *initFlags) applyExtraArgs(c *config.Config) {
	for i, to := range []*[]config.Arg{
		&c.Cluster.APIServer.ExtraArgs, &c.Cluster.ControllerManager.ExtraArgs, &c.Cluster.Scheduler.ExtraArgs,
	} {
		for name, value := range f.extraArgs[i] {
			*to = append(*to, config.Arg{Name: name, Value: value})
		}
		slices.SortFunc(*to, func(a, b config.Arg) int { return strings.Compare(a.Name, b.Name) })
	}
}
