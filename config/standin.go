package config

import "fmt"

// The addresses of RFC 5737 and RFC 3849 belong to nobody.
const (
	documentationIPv4 = "192.0.2.1"
	documentationIPv6 = "2001:db8::1"
)

// StandIn are the facts of a machine that suits the file, for judging a file by itself: it may be for another machine, and the
// network is not asked. token makes bootstrap tokens.
func (c *Config) StandIn(token func() (string, error)) Dynamic {
	d := Dynamic{
		Hostname: "node", AdvertiseAddress: documentationIPv4, CRISocket: "unix:///var/run/containerd/containerd.sock",
		Token: token, Version: standInVersion(c.Cluster.KubernetesVersion),
	}
	if cidrs := c.ServiceCIDRs(); len(cidrs) > 0 && cidrs[0].Addr().Is6() {
		d.AdvertiseAddress = documentationIPv6
	}
	return d
}

// StandIn is the same for a whole file.
func (f *File) StandIn(token func() (string, error)) Dynamic {
	if f.Init != nil {
		return f.Init.StandIn(token)
	}
	return New().StandIn(token)
}

// standInVersion is a version that a label may turn out to mean.
func standInVersion(label string) string {
	if minor := labelMinor(label); minor != 0 && minor != MaximumMinor {
		return fmt.Sprintf("v1.%d.0", minor)
	}
	version, err := ResolveLabel(label, "")
	if err != nil {
		return DefaultKubernetesVersion
	}
	return version
}
