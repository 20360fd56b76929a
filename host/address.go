package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// DefaultAddress returns the address that kubeadm would choose for localAPIEndpoint.advertiseAddress when none is given:
// the first global address of the interface with the default route, IPv4 before IPv6; with ipv6, IPv6 before IPv4.
// A machine without a default route gets the unspecified address 0.0.0.0, as with kubeadm: it is for the caller to refuse
// it where the address is needed.
func DefaultAddress(ipv6 bool) (netip.Addr, error) {
	wanted := net.IPv4zero
	if ipv6 {
		wanted = net.IPv6zero
	}
	ip, err := utilnet.ResolveBindAddress(wanted)
	if utilnet.IsNoRoutesError(err) {
		return netip.IPv4Unspecified(), nil
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("cannot choose an address to advertise: %w\nset localAPIEndpoint.advertiseAddress, or --apiserver-advertise-address", err)
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return netip.Addr{}, fmt.Errorf("cannot choose an address to advertise: %q is no address", ip)
	}
	return addr.Unmap(), nil
}

// LoopbackAddress returns the first global unicast address of the loopback interface. Machines that announce such an address
// themselves, over links without addresses (RFC 5549), are reached at it.
func LoopbackAddress() (netip.Addr, error) {
	ip, err := utilnet.ChooseBindAddressForInterface("lo")
	addr, ok := netip.AddrFromSlice(ip)
	if err != nil || !ok {
		return netip.Addr{}, errors.New("cannot advertise a loopback address: others can't reach it, and the loopback interface has no global one\n" +
			"set localAPIEndpoint.advertiseAddress, or --apiserver-advertise-address, to an address of this machine, or leave it out")
	}
	return addr.Unmap(), nil
}

// HasAddress says whether an address is one of this machine's.
func HasAddress(want netip.Addr) (bool, error) {
	have, err := net.InterfaceAddrs()
	if err != nil {
		return false, fmt.Errorf("cannot list the addresses of this machine: %w", err)
	}
	return slices.ContainsFunc(have, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr().Unmap() == want.Unmap()
	}), nil
}
