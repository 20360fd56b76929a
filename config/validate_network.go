package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// minServiceBits and minPodAddresses leave room for the DNS Service and for the pods that every cluster runs.
	minServiceAddresses = 10
	minPodAddresses     = 14
	// maxServiceBits bounds the bitmap of cluster IPs; the API server has the same limit.
	maxServiceBits = 20
	// maxNodeBits bounds how many node networks one pod network may be cut into; kube-controller-manager has the same limit.
	maxNodeBits      = 16
	nodeMaskIPv4     = 24
	nodeMaskIPv6     = 64
	siteLocalNetwork = "fec0::/10"
)

func (c *Config) checkNetworking(p *problems) {
	n := c.Cluster.Networking
	if len(validation.IsDNS1123Subdomain(n.DNSDomain)) > 0 {
		p.add("networking.dnsDomain", "%q is not a DNS name in lower case, such as cluster.local", n.DNSDomain)
	}
	services := checkSubnets(p, "networking.serviceSubnet", n.ServiceSubnet, minServiceAddresses)
	pods := checkSubnets(p, "networking.podSubnet", n.PodSubnet, minPodAddresses)
	for _, s := range services {
		if bits := s.Addr().BitLen() - s.Bits(); bits > maxServiceBits {
			p.add("networking.serviceSubnet", "%s is too large; the longest allowed is /%d", s, s.Addr().BitLen()-maxServiceBits)
		}
		for _, o := range pods {
			if s.Overlaps(o) {
				p.add("networking.podSubnet", "%s overlaps with the service subnet %s; choose networks that share no address", o, s)
			}
		}
	}
	if address, err := netip.ParseAddr(c.Init.LocalAPIEndpoint.AdvertiseAddress); err == nil {
		c.checkOwnAddress(p, address, services, "choose another network")
	}
	if allocate, _ := ArgValue(c.Cluster.ControllerManager.ExtraArgs, "allocate-node-cidrs"); allocate != "false" {
		for _, s := range pods {
			c.checkNodeMask(p, s)
		}
	}
}

// checkOwnAddress refuses service networks that contain the machine's address, where nobody would reach it, or whose first
// one is of the other family, which makes the API server exit. advice is what to do about the former.
func (c *Config) checkOwnAddress(p *problems, address netip.Addr, services []netip.Prefix, advice string) {
	_, other := ArgValue(c.Cluster.APIServer.ExtraArgs, "advertise-address")
	if len(services) > 0 && !other && services[0].Addr().Is4() != address.Is4() {
		p.add("networking.serviceSubnet", "%s comes first, so localAPIEndpoint.advertiseAddress must be of its family; it is %s", services[0], address)
	}
	for _, s := range services {
		if s.Contains(address) {
			p.add("networking.serviceSubnet", "%s contains the machine's own address %s; %s", s, address, advice)
		}
	}
}

// checkSubnets reads one or two networks; what it returns may be looked at further.
func checkSubnets(p *problems, field, text string, least int) []netip.Prefix {
	cidrs, err := ParseCIDRs(text)
	if err != nil {
		p.add(field, "%v; two networks are written with a comma and no space", err)
		return nil
	}
	if len(cidrs) > 2 || len(cidrs) == 2 && cidrs[0].Addr().Is4() == cidrs[1].Addr().Is4() {
		p.add(field, "%q: want one network, or one of IPv4 and one of IPv6", text)
	}
	for _, s := range cidrs {
		if bits := s.Addr().BitLen() - s.Bits(); bits < 16 && 1<<bits < least {
			p.add(field, "%s has only %d addresses; at least %d are needed", s, 1<<bits, least)
		}
	}
	return cidrs
}

// checkNodeMask checks that a pod network can be cut into the networks of the nodes.
func (c *Config) checkNodeMask(p *problems, pods netip.Prefix) {
	const field = "networking.podSubnet"
	flag, mask := "node-cidr-mask-size-ipv4", nodeMaskIPv4
	if pods.Addr().Is6() {
		flag, mask = "node-cidr-mask-size-ipv6", nodeMaskIPv6
	}
	if text, ok := ArgValue(c.Cluster.ControllerManager.ExtraArgs, flag); ok && text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			p.add("controllerManager.extraArgs", "%s: %q is not a number", flag, text)
			return
		}
		mask = n
	}
	advice := fmt.Sprintf("change it or controllerManager.extraArgs %s", flag)
	switch {
	case pods.Bits() > mask:
		p.add(field, "%s is smaller than the /%d network of one node; %s", pods, mask, advice)
	case mask-pods.Bits() > maxNodeBits:
		p.add(field, "%s holds more than 2^%d node networks of /%d; %s", pods, maxNodeBits, mask, advice)
	}
}

// checkNames checks the extra names of a certificate: IP addresses, DNS names, or DNS names with a leading wildcard.
func checkNames(p *problems, field string, names []string) {
	for i, name := range names {
		if _, err := netip.ParseAddr(name); err == nil {
			continue
		}
		if len(validation.IsDNS1123Subdomain(name)) > 0 && len(validation.IsWildcardDNS1123Subdomain(name)) > 0 {
			p.add(fmt.Sprintf("%s[%d]", field, i), "%q is neither an IP address nor a DNS name such as api.example.com or *.example.com", name)
		}
	}
}

// warnSiteLocal tells of networks in fec0::/10, which RFC 3879 took out of use.
func (c *Config) warnSiteLocal() {
	siteLocal := netip.MustParsePrefix(siteLocalNetwork)
	for _, f := range []struct {
		field string
		cidrs []netip.Prefix
	}{{"networking.serviceSubnet", c.ServiceCIDRs()}, {"networking.podSubnet", c.PodCIDRs()}} {
		for _, s := range f.cidrs {
			if s.Overlaps(siteLocal) {
				c.warn("%s: %s is in %s, which RFC 3879 took out of use; take a network of fd00::/8", f.field, s, strings.TrimSpace(siteLocalNetwork))
			}
		}
	}
}
