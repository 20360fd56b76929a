package config

import (
	"fmt"
	"net/netip"
	"slices"
)

// documentationAddresses belong to nobody (RFC 5737, RFC 3849, RFC 9637). No service range holds all of one family.
var documentationAddresses = []netip.Addr{
	netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.1"),
	netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("3fff::1"),
}

// StandIn are the facts of a machine that suits the configuration, for judging it by itself: it may be for another machine, and the
// network is not asked. token makes bootstrap tokens.
func (c *Config) StandIn(token func() (string, error)) Dynamic {
	services := c.ServiceCIDRs()
	if len(services) == 0 {
		services, _ = ParseCIDRs(DefaultServiceSubnet)
	}
	return Dynamic{
		Hostname: placeholderNode, AdvertiseAddress: outside(services), CRISocket: "unix:///var/run/containerd/containerd.sock",
		Token: token, Version: standInVersion(c.Cluster.KubernetesVersion),
	}
}

// outside is an address in none of the networks, of the family of the first.
func outside(networks []netip.Prefix) string {
	for _, a := range documentationAddresses {
		if a.Is4() == networks[0].Addr().Is4() && !slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) }) {
			return a.String()
		}
	}
	return documentationAddresses[0].String() // the networks are too large, and are refused for that
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
