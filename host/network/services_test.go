package network

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	mdl "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// balancer talks to the kernel's load balancer in the namespace of a test.
type balancer struct {
	t *testing.T
	*mdl.Conn
	family uint16
}

func newBalancer(t *testing.T) balancer {
	t.Helper()
	if _, err := os.Stat(filepath.Join(ownNet, "ip_vs")); err != nil {
		t.Skip("this kernel has no IPVS, or has not loaded it:", err)
	}
	family, err := netlink.GenlFamilyGet("IPVS")
	if err != nil {
		t.Fatal(err)
	}
	c, err := mdl.Dial(unix.NETLINK_GENERIC, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return balancer{t, c, family.ID}
}

// add makes a service: of an address and a port, or of a firewall mark where that is not 0.
func (b balancer) add(proto uint16, at string, mark uint32) {
	b.t.Helper()
	to, family, mask := netip.MustParseAddrPort(at), uint16(unix.AF_INET), ^uint32(0)
	if to.Addr().Is6() {
		family, mask = unix.AF_INET6, 128
	}
	e := mdl.NewAttributeEncoder()
	e.Nested(ipvsAttrService, func(s *mdl.AttributeEncoder) error {
		s.Uint16(ipvsAttrFamily, family)
		if mark != 0 {
			s.Uint32(5, mark)
		} else {
			s.Uint16(ipvsAttrProtocol, proto)
			s.Bytes(ipvsAttrAddress, to.Addr().AsSlice())
			s.Bytes(ipvsAttrPort, binary.BigEndian.AppendUint16(nil, to.Port()))
		}
		s.String(6, "rr")           // scheduler
		s.Bytes(7, make([]byte, 8)) // flags, and which of them are said
		s.Uint32(8, 0)              // timeout
		s.Uint32(9, mask)
		return nil
	})
	attrs, err := e.Encode()
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.Execute(ipvsMessage(b.family, 1, mdl.Acknowledge, attrs)); err != nil {
		b.t.Fatalf("service %s, mark %d: %v", at, mark, err)
	}
}

// all returns what the kernel says of each service, with its numbers, in some order.
func (b balancer) all() []string {
	b.t.Helper()
	answers, err := b.Execute(ipvsMessage(b.family, ipvsGetService, mdl.Dump, nil))
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, a := range answers {
		all = append(all, string(a.Data))
	}
	slices.Sort(all)
	return all
}

func TestServices(t *testing.T) {
	isolate(t)
	b := newBalancer(t)
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "kube-ipvs0"}}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for to, address := range map[string]netlink.Link{"10.96.0.1/32": link, "fd00:96::1/128": link, "192.0.2.7/24": lo} {
		a, err := netlink.ParseAddr(to)
		if err != nil {
			t.Fatal(err)
		}
		a.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(address, a); err != nil {
			t.Fatal(to, err)
		}
	}
	b.add(unix.IPPROTO_TCP, "192.0.2.7:443", 0)
	b.add(unix.IPPROTO_TCP, "198.51.100.1:30000", 0)
	b.add(0, "0.0.0.0:0", 7)
	foreign := b.all()
	b.add(unix.IPPROTO_TCP, "10.96.0.1:443", 0)
	b.add(unix.IPPROTO_UDP, "[fd00:96::1]:53", 0)
	b.add(unix.IPPROTO_UDP, "192.0.2.7:30123", 0)

	part := ipvsPart("IPVS")
	found, err := part.Find(t.Context())
	slices.Sort(found)
	want := []string{"IPVS service TCP 10.96.0.1:443", "IPVS service UDP 192.0.2.7:30123", "IPVS service UDP [fd00:96::1]:53", "link kube-ipvs0"}
	if diff := cmp.Diff(want, found); diff != "" || err != nil {
		t.Errorf("error %v, found (-want +got):\n%s", err, diff)
	}
	removeAll(t, false)
	if diff := cmp.Diff(foreign, b.all()); diff != "" {
		t.Errorf("services of others (-want +got):\n%s", diff)
	}
}
