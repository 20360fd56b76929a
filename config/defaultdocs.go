package config

import (
	"fmt"
	"strings"
)

// What the documents of defaults say where only a machine, or a person, knows better.
const (
	placeholderAddress  = "1.2.3.4"
	placeholderNode     = "node"
	placeholderEndpoint = "kube-apiserver:6443"
)

// ComponentKinds are the component configurations that InitDefaults can add.
func ComponentKinds() []string { return []string{proxyKind, kubeletKind} }

// InitDefaults is an InitConfiguration and a ClusterConfiguration with all defaults, and with placeholders for what depends on the
// machine, as documents to begin with. components are names of ComponentKinds, whose documents follow in the order given.
func InitDefaults(components []string) ([]byte, error) {
	c := New()
	d := c.StandIn(func() (string, error) { return PlaceholderToken, nil })
	d.Hostname, d.AdvertiseAddress = placeholderNode, placeholderAddress
	if err := c.SetDefaults(d); err != nil {
		return nil, err
	}
	// The taint is what nil stands for.
	c.Init.NodeRegistration.Taints = nil
	c.Init.BootstrapTokens[0].Description = ""
	docs := make([][]byte, 0, 2+len(components))
	writers := []func() ([]byte, error){func() ([]byte, error) { return encode(initKind, c.Init) }, c.ClusterYAML}
	for _, kind := range components {
		switch kind {
		case kubeletKind:
			writers = append(writers, c.KubeletYAML)
		case proxyKind:
			writers = append(writers, c.ProxyYAML)
		default:
			return nil, fmt.Errorf("cannot print defaults of %q: --component-configs takes %s", kind, strings.Join(ComponentKinds(), " and "))
		}
	}
	for _, write := range writers {
		doc, err := write()
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return documents(docs), nil
}

// JoinDefaults is a JoinConfiguration with all defaults for the machine with this host name, and placeholders for the cluster.
func JoinDefaults(hostname string) ([]byte, error) {
	j := NewJoin()
	j.Discovery.BootstrapToken = &BootstrapTokenDiscovery{
		Token: PlaceholderToken, APIServerEndpoint: placeholderEndpoint, UnsafeSkipCAVerification: true,
	}
	d := New().StandIn(nil)
	d.Hostname = hostname
	if err := j.SetDefaults(d); err != nil {
		return nil, err
	}
	return j.JoinYAML()
}

// ResetDefaults is a ResetConfiguration with all defaults.
func ResetDefaults() ([]byte, error) {
	r := NewReset()
	r.CertificatesDir = DefaultCertificatesDir
	if err := r.SetDefaults(New().StandIn(nil)); err != nil {
		return nil, err
	}
	return encode(resetKind, r.ResetConfiguration)
}

// UpgradeDefaults is an UpgradeConfiguration with all defaults.
func UpgradeDefaults() ([]byte, error) {
	u := NewUpgrade()
	if err := u.SetDefaults(Dynamic{}); err != nil {
		return nil, err
	}
	return u.UpgradeYAML()
}
