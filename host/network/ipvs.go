package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	mdl "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ipvsLink holds the addresses of all services while kube-proxy runs in its mode ipvs.
var ipvsLink = named("dummy", "kube-ipvs0")

// The default of the API server's --service-node-port-range. Of services at addresses of the machine itself only these ports are
// taken as kube-proxy's: the machine may balance things of its own.
const firstNodePort, lastNodePort = 30000, 32767

// Numbers of linux/ip_vs.h.
const (
	ipvsDelService   = 3
	ipvsGetService   = 4
	ipvsAttrService  = 1
	ipvsAttrFamily   = 1
	ipvsAttrProtocol = 2
	ipvsAttrAddress  = 3
	ipvsAttrPort     = 4
)

// service is one virtual service of the kernel's load balancer.
type service struct {
	address netip.AddrPort
	proto   uint16
	key     []mdl.Attribute // what names it to the kernel, as the kernel said it
}

func (s service) String() string {
	proto := map[uint16]string{unix.IPPROTO_TCP: "TCP", unix.IPPROTO_UDP: "UDP", unix.IPPROTO_SCTP: "SCTP"}[s.proto]
	return fmt.Sprintf("IPVS service %s %s", proto, s.address)
}

// ipvsPart is kube-proxy's mode ipvs: its services and then the link, which tells the services of kube-proxy from others.
func ipvsPart(name string) Part {
	return Part{
		Name: name,
		Find: func(ctx context.Context) ([]string, error) {
			links, err := find([]link{ipvsLink})
			if err != nil || len(links) == 0 {
				return nil, err
			}
			var lines []string
			err = withServices(ctx, links[0], func(_ *mdl.Conn, _ uint16, ours []service) error {
				for _, s := range ours {
					lines = append(lines, s.String())
				}
				return nil
			})
			return append(lines, "link "+links[0].Attrs().Name), err
		},
		Remove: func(ctx context.Context) error {
			links, err := find([]link{ipvsLink})
			if err != nil || len(links) == 0 {
				return err
			}
			err = withServices(ctx, links[0], func(c *mdl.Conn, family uint16, ours []service) error {
				var failed []error
				for _, s := range ours {
					if err := s.remove(c, family); err != nil && !errors.Is(err, unix.ESRCH) {
						failed = append(failed, fmt.Errorf("cannot delete the %s: %w", s, err))
					}
				}
				return errors.Join(failed...)
			})
			if err != nil {
				return err
			}
			return removeLinks(links)
		},
	}
}

// withServices does something with the services that are kube-proxy's. Where the kernel has no balancer loaded there are none,
// and it is not loaded to see that.
func withServices(ctx context.Context, link netlink.Link, do func(c *mdl.Conn, family uint16, ours []service) error) error {
	if _, err := os.Stat(filepath.Join(ownNet, "ip_vs")); err != nil {
		return nil
	}
	onLink, err := addresses(link)
	if err != nil {
		return err
	}
	local, err := addresses(nil)
	if err != nil {
		return err
	}
	family, err := netlink.GenlFamilyGet("IPVS")
	if err != nil {
		return fmt.Errorf("cannot talk to the kernel's load balancer (IPVS): %w", err)
	}
	c, err := dial(ctx, unix.NETLINK_GENERIC)
	if err != nil {
		return err
	}
	defer c.Close()
	answers, err := c.Execute(ipvsMessage(family.ID, ipvsGetService, mdl.Dump, nil))
	if err != nil {
		return fmt.Errorf("cannot list the services of the kernel's load balancer (IPVS): %w", err)
	}
	var ours []service
	for _, m := range answers {
		s, ok, err := parseService(m.Data)
		if err != nil {
			return fmt.Errorf("cannot read a service of the kernel's load balancer (IPVS): %w", err)
		}
		if ok && s.ours(onLink, local) {
			ours = append(ours, s)
		}
	}
	return do(c, family.ID, ours)
}

// ours says whether kube-proxy made the service: it is at an address of kube-proxy's link, or a node port.
func (s service) ours(onLink, local map[netip.Addr]bool) bool {
	a, port := s.address.Addr(), s.address.Port()
	return onLink[a] || local[a] && port >= firstNodePort && port <= lastNodePort
}

// addresses returns those of a link, or of all.
func addresses(link netlink.Link) (map[netip.Addr]bool, error) {
	all, err := uninterrupted(func() ([]netlink.Addr, error) { return netlink.AddrList(link, unix.AF_UNSPEC) })
	if err != nil {
		return nil, fmt.Errorf("cannot list the addresses of this machine: %w", err)
	}
	set := map[netip.Addr]bool{}
	for _, a := range all {
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			set[ip.Unmap()] = true
		}
	}
	return set, nil
}

func ipvsMessage(family uint16, command byte, flags mdl.HeaderFlags, attrs []byte) mdl.Message {
	return mdl.Message{
		Header: mdl.Header{Type: mdl.HeaderType(family), Flags: mdl.Request | flags},
		Data:   append([]byte{command, 1, 0, 0}, attrs...),
	}
}

// remove deletes the service: what the kernel said of it names it.
func (s service) remove(c *mdl.Conn, family uint16) error {
	attrs, err := s.marshal()
	if err != nil {
		return err
	}
	_, err = c.Execute(ipvsMessage(family, ipvsDelService, mdl.Acknowledge, attrs))
	return err
}

func (s service) marshal() ([]byte, error) {
	key, err := mdl.MarshalAttributes(s.key)
	if err != nil {
		return nil, err
	}
	return mdl.MarshalAttributes([]mdl.Attribute{{Type: ipvsAttrService | mdl.Nested, Data: key}})
}

// parseService reads one service. One that marked packets lead to (a firewall mark) has no address: it is never kube-proxy's.
func parseService(data []byte) (s service, ok bool, err error) {
	if len(data) < 4 {
		return s, false, errors.New("the answer is too short")
	}
	outer, err := mdl.UnmarshalAttributes(data[4:])
	if err != nil {
		return s, false, err
	}
	var family, port uint16
	var address []byte
	for _, o := range outer {
		if o.Type&^mdl.Nested != ipvsAttrService {
			continue
		}
		attrs, err := mdl.UnmarshalAttributes(o.Data)
		if err != nil {
			return s, false, err
		}
		for _, a := range attrs {
			a.Length = 0 // counted again when it is sent
			switch {
			case a.Type == ipvsAttrFamily && len(a.Data) == 2:
				family = binary.NativeEndian.Uint16(a.Data)
			case a.Type == ipvsAttrProtocol && len(a.Data) == 2:
				s.proto = binary.NativeEndian.Uint16(a.Data)
			case a.Type == ipvsAttrAddress && len(a.Data) >= net.IPv4len:
				address = a.Data
			case a.Type == ipvsAttrPort && len(a.Data) == 2:
				port = binary.BigEndian.Uint16(a.Data)
			default:
				continue
			}
			s.key = append(s.key, a)
		}
	}
	if family == unix.AF_INET && len(address) > net.IPv4len {
		address = address[:net.IPv4len] // the kernel sends room for IPv6
	}
	ip, valid := netip.AddrFromSlice(address)
	s.address = netip.AddrPortFrom(ip, port)
	return s, valid && len(s.key) == 4, nil
}
