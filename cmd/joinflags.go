package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/config"
)

// joinFlags are the flags of join and its phases. They have kubeadm's names and meaning.
type joinFlags struct {
	runFlags
	configFile string
	// phase is the one phase that is run, or empty for all.
	phase string

	advertiseAddress, certificateKey, criSocket, discoveryFile, discoveryToken, nodeName, patches, replaceNode string
	tlsBootstrapToken, token                                                                                   string
	bindPort                                                                                                   int32
	caHashes, ignorePreflight, skipPhases                                                                      []string
	controlPlane, unsafeSkipCA                                                                                 bool
}

// flagSet declares all of them; a phase picks those that it understands.
func (f *joinFlags) flagSet() *pflag.FlagSet {
	s := pflag.NewFlagSet("join", pflag.ContinueOnError)
	s.StringVar(&f.configFile, "config", "", "file with the configuration (kubeadm.k8s.io/v1beta4); - is stdin")
	s.BoolVar(&f.dryRun, "dry-run", false, "print what would be changed, and change nothing")
	s.BoolVar(&f.controlPlane, "control-plane", false, "join as a control-plane node")
	s.StringVar(&f.advertiseAddress, "apiserver-advertise-address", "", "IP address that this node's API server announces (default: that of the default route)")
	s.Int32Var(&f.bindPort, "apiserver-bind-port", 6443, "port of this node's API server")
	s.StringVar(&f.certificateKey, "certificate-key", "", "key that opens the certificates that were uploaded: 64 hexadecimal digits")
	s.StringVar(&f.criSocket, "cri-socket", "", "socket of the container runtime (default: the one that is there)")
	s.StringVar(&f.discoveryFile, "discovery-file", "", "kubeconfig, or https URL of one, that names the cluster")
	s.StringVar(&f.discoveryToken, "discovery-token", "", "bootstrap token by which the cluster is known")
	s.StringSliceVar(&f.caHashes, "discovery-token-ca-cert-hash", nil, "pin of the cluster's CA, sha256:<hexadecimal digits>")
	s.BoolVar(&f.unsafeSkipCA, "discovery-token-unsafe-skip-ca-verification", false, "trust the cluster's CA without a pin")
	s.StringVar(&f.tlsBootstrapToken, "tls-bootstrap-token", "", "token with which the kubelet asks for its certificate")
	s.StringVar(&f.token, "token", "", "the same token for discovery and for the kubelet's certificate")
	s.StringSliceVar(&f.ignorePreflight, "ignore-preflight-errors", nil, "checks whose errors become warnings; all means every check")
	s.StringVar(&f.nodeName, "node-name", "", "name of the node (default: the host name)")
	s.StringVar(&f.patches, "patches", "", "directory with patches: target[suffix][+type].extension")
	// Consent takes the name again, and is no check to be ignored: "all" is in many a script, and must not remove members of etcd.
	s.StringVar(&f.replaceNode, "replace-node", "",
		"this machine takes the place of the dead control-plane node of this name, which is its own: its member of etcd is removed")
	s.StringSliceVar(&f.skipPhases, "skip-phases", nil, "phases to leave out")
	ownFlags(s, "replace-node")
	return s
}

func (f *joinFlags) common() *runFlags    { return &f.runFlags }
func (f *joinFlags) setPhase(name string) { f.phase = name }
func (f *joinFlags) argument() string     { return "[api-server-endpoint]" }

// apply puts the flags that were given, and the endpoint that is the command's argument, into the configuration.
func (f *joinFlags) apply(flags *pflag.FlagSet, endpoint string, j *config.Join) error {
	f.applyDiscovery(flags, endpoint, j)
	set := func(name string, to *string, value string) {
		if flags.Changed(name) {
			*to = value
		}
	}
	set("cri-socket", &j.NodeRegistration.CRISocket, f.criSocket)
	set("node-name", &j.NodeRegistration.Name, f.nodeName)
	if f.controlPlane && j.ControlPlane == nil {
		j.ControlPlane = &config.JoinControlPlane{}
	}
	for _, name := range []string{"apiserver-advertise-address", "apiserver-bind-port", "certificate-key"} {
		if flags.Changed(name) && j.ControlPlane == nil {
			return fmt.Errorf("cannot use --%s: it is for control-plane nodes; add --control-plane", name)
		}
	}
	if cp := j.ControlPlane; cp != nil {
		set("apiserver-advertise-address", &cp.LocalAPIEndpoint.AdvertiseAddress, f.advertiseAddress)
		set("certificate-key", &cp.CertificateKey, f.certificateKey)
		if flags.Changed("apiserver-bind-port") {
			cp.LocalAPIEndpoint.BindPort = f.bindPort
		}
	}
	if f.patches != "" {
		j.Patches = &config.Patches{Directory: f.patches}
	}
	if flags.Changed("dry-run") {
		j.DryRun = f.dryRun
	}
	j.NodeRegistration.IgnorePreflightErrors = append(j.NodeRegistration.IgnorePreflightErrors, f.ignorePreflight...)
	if len(f.skipPhases) > 0 {
		j.SkipPhases = f.skipPhases
	}
	return nil
}

func (f *joinFlags) applyDiscovery(flags *pflag.FlagSet, endpoint string, j *config.Join) {
	d := &j.Discovery
	if flags.Changed("discovery-file") {
		d.File = &config.FileDiscovery{KubeConfigPath: f.discoveryFile}
	}
	token := f.discoveryToken
	if token == "" && d.File == nil {
		token = f.token
	}
	if endpoint != "" || token != "" || len(f.caHashes) > 0 || f.unsafeSkipCA {
		if d.BootstrapToken == nil {
			d.BootstrapToken = &config.BootstrapTokenDiscovery{}
		}
		b := d.BootstrapToken
		if endpoint != "" {
			b.APIServerEndpoint = strings.TrimSuffix(endpoint, "/")
		}
		if token != "" {
			b.Token = token
		}
		b.CACertHashes = append(b.CACertHashes, f.caHashes...)
		b.UnsafeSkipCAVerification = b.UnsafeSkipCAVerification || f.unsafeSkipCA
	}
	switch {
	case f.tlsBootstrapToken != "":
		d.TLSBootstrapToken = f.tlsBootstrapToken
	case f.token != "":
		d.TLSBootstrapToken = f.token
	}
}
