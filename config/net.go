package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	defaultBindPort = 6443
	etcdClientPort  = 2379
	etcdPeerPort    = 2380
	dnsServiceIndex = 10
	apiServiceIndex = 1
	// DefaultDNSDomain is the domain of Services when networking.dnsDomain says nothing.
	DefaultDNSDomain = "cluster.local"
	// DefaultServiceSubnet is the range of Services when networking.serviceSubnet says nothing.
	DefaultServiceSubnet = "10.96.0.0/12"
)

// ParseCIDRs reads one CIDR or several separated by commas. Bits of the host part are cleared; an empty text gives none.
func ParseCIDRs(s string) ([]netip.Prefix, error) {
	if s == "" {
		return nil, nil
	}
	var cidrs []netip.Prefix
	for _, part := range strings.Split(s, ",") {
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%q is not a CIDR such as 10.96.0.0/12 or fd00::/108", part)
		}
		if p.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is an IPv4 address in IPv6 form; write it as IPv4", part)
		}
		cidrs = append(cidrs, p.Masked())
	}
	return cidrs, nil
}

// NthAddress is the nth address of a network, counted from its base address, or the zero Addr when the network is too small.
func NthAddress(p netip.Prefix, n int) netip.Addr {
	if !p.IsValid() {
		return netip.Addr{}
	}
	b := p.Masked().Addr().AsSlice()
	for i := len(b) - 1; i >= 0 && n > 0; i-- {
		n += int(b[i])
		b[i] = byte(n)
		n >>= 8
	}
	a, ok := netip.AddrFromSlice(b)
	if n != 0 || !ok || !p.Contains(a) {
		return netip.Addr{}
	}
	return a
}

// ServiceCIDRs are the networks of Services, the cluster's main family first; empty while serviceSubnet is wrong.
func (c *Config) ServiceCIDRs() []netip.Prefix {
	p, _ := ParseCIDRs(c.Cluster.Networking.ServiceSubnet)
	return p
}

// PodCIDRs are the networks of Pods; empty when none were given or while podSubnet is wrong.
func (c *Config) PodCIDRs() []netip.Prefix {
	p, _ := ParseCIDRs(c.Cluster.Networking.PodSubnet)
	return p
}

func (c *Config) serviceAddress(n int) netip.Addr {
	cidrs := c.ServiceCIDRs()
	if len(cidrs) == 0 {
		return netip.Addr{}
	}
	return NthAddress(cidrs[0], n)
}

// DNSIP is the cluster IP of the Service kube-dns: the 10th address of the first service network.
func (c *Config) DNSIP() netip.Addr { return c.serviceAddress(dnsServiceIndex) }

// APIServerServiceIP is the cluster IP of the Service kubernetes: the first address of the first service network.
func (c *Config) APIServerServiceIP() netip.Addr { return c.serviceAddress(apiServiceIndex) }

// IPv6 says that the node's main address is an IPv6 address.
func (c *Config) IPv6() bool {
	a, err := netip.ParseAddr(c.Init.LocalAPIEndpoint.AdvertiseAddress)
	return err == nil && a.Unmap().Is6()
}

// LocalAPIURL is where the API server of this machine is reached: https://<advertise address>:<port>.
func (c *Config) LocalAPIURL() string {
	e := c.Init.LocalAPIEndpoint
	return hostURL(e.AdvertiseAddress, strconv.Itoa(int(e.BindPort)))
}

// ControlPlaneURL is where everybody reaches the control plane: the shared endpoint, or this machine when there is none.
func (c *Config) ControlPlaneURL() string {
	if c.Cluster.ControlPlaneEndpoint == "" {
		return c.LocalAPIURL()
	}
	host, port, err := ParseHostPort(c.Cluster.ControlPlaneEndpoint)
	if err != nil {
		return c.LocalAPIURL()
	}
	if port == "" {
		port = strconv.Itoa(int(c.Init.LocalAPIEndpoint.BindPort))
	}
	return hostURL(host, port)
}

// JoinEndpoint is what nodes are told to join: host:port of ControlPlaneURL.
func (c *Config) JoinEndpoint() string { return strings.TrimPrefix(c.ControlPlaneURL(), "https://") }

// EtcdClientURL and EtcdPeerURL are where this machine's etcd member is reached.
func (c *Config) EtcdClientURL() string {
	return hostURL(c.Init.LocalAPIEndpoint.AdvertiseAddress, strconv.Itoa(etcdClientPort))
}

// EtcdPeerURL is where the other members reach this machine's etcd member.
func (c *Config) EtcdPeerURL() string {
	return hostURL(c.Init.LocalAPIEndpoint.AdvertiseAddress, strconv.Itoa(etcdPeerPort))
}

// ExternalEtcd says that somebody else runs etcd.
func (c *Config) ExternalEtcd() bool { return c.Cluster.Etcd.External != nil }

func hostURL(host, port string) string { return "https://" + net.JoinHostPort(host, port) }

// ParseHostPort reads "host", "host:port", an address, or "[address]:port". The port is empty when there is none. The host
// must be an IP address or a DNS name (RFC 1123).
func ParseHostPort(s string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(s)
	if err != nil {
		host, port = s, ""
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q: the port must be a number from 1 to 65535", s)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host, port, nil
	}
	if len(validation.IsDNS1123Subdomain(host)) > 0 {
		return "", "", fmt.Errorf("%q: want host, host:port or [IPv6 address]:port, where the host is an IP address or a DNS name in lower case", s)
	}
	return host, port, nil
}
