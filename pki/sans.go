package pki

import (
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubewright/kubewright/config"
)

// apiServerNames are the names and addresses that clients call the API server by.
func apiServerNames(c *config.Config) []string {
	names := []string{
		nodeName(c), "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc." + c.Cluster.Networking.DNSDomain,
		c.APIServerServiceIP().String(), c.Init.LocalAPIEndpoint.AdvertiseAddress,
	}
	if endpoint := c.Cluster.ControlPlaneEndpoint; endpoint != "" {
		if host, _, err := config.ParseHostPort(endpoint); err == nil {
			names = append(names, host)
		}
	}
	return append(names, c.Cluster.APIServer.CertSANs...)
}

func etcdServerNames(c *config.Config) []string {
	return append(etcdNames(c), c.Cluster.Etcd.Local.ServerCertSANs...)
}

func etcdPeerNames(c *config.Config) []string {
	return append(etcdNames(c), c.Cluster.Etcd.Local.PeerCertSANs...)
}

func etcdNames(c *config.Config) []string {
	return []string{nodeName(c), "localhost", c.Init.LocalAPIEndpoint.AdvertiseAddress, "127.0.0.1", "::1"}
}

// split separates DNS names, in alphabetical order, from addresses, each without duplicates.
func split(names []string) (dns []string, ips []net.IP) {
	var addrs []netip.Addr
	for _, name := range names {
		if addr, err := netip.ParseAddr(name); err == nil {
			if addr = addr.Unmap(); !slices.Contains(addrs, addr) {
				addrs = append(addrs, addr)
				ips = append(ips, addr.AsSlice())
			}
		} else if name != "" && !slices.Contains(dns, name) {
			dns = append(dns, name)
		}
	}
	slices.Sort(dns)
	return dns, ips
}

// namesOf are the names and addresses that a certificate is for.
func namesOf(cert *x509.Certificate) []string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// missingNames lists the names that the certificate lacks. More names than are wanted do no harm.
func missingNames(cert *x509.Certificate, names []string) []string {
	dns, ips := split(names)
	var missing []string
	for _, name := range dns {
		if !slices.ContainsFunc(cert.DNSNames, func(have string) bool { return strings.EqualFold(have, name) }) {
			missing = append(missing, name)
		}
	}
	for _, ip := range ips {
		if !slices.ContainsFunc(cert.IPAddresses, ip.Equal) {
			missing = append(missing, ip.String())
		}
	}
	return missing
}
