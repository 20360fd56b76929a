package network

import (
	"bytes"
	"net/netip"
	"testing"

	mdl "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// told is a service as the kernel's ip_vs_genl_dump_service tells it.
func told(t *testing.T, attrs ...mdl.Attribute) []byte {
	t.Helper()
	inner, err := mdl.MarshalAttributes(attrs)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := mdl.MarshalAttributes([]mdl.Attribute{{Type: ipvsAttrService, Data: inner}})
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{1, 1, 0, 0}, outer...)
}

func u16(typ, v uint16) mdl.Attribute {
	e := mdl.NewAttributeEncoder()
	e.Uint16(typ, v)
	b, _ := e.Encode()
	return mdl.Attribute{Type: typ, Data: b[4:6]}
}

func TestParseService(t *testing.T) {
	v4 := append([]byte{10, 96, 0, 1}, make([]byte, 12)...)
	key := []mdl.Attribute{u16(1, unix.AF_INET), u16(2, unix.IPPROTO_TCP), {Type: 3, Data: v4}, {Type: 4, Data: []byte{1, 0xbb}}}
	rest := []mdl.Attribute{{Type: 6, Data: []byte("rr\x00")}, {Type: 7, Data: make([]byte, 8)}, {Type: 10 | mdl.Nested, Data: make([]byte, 8)}}
	s, ok, err := parseService(told(t, append(key[:4:4], rest...)...))
	if err != nil || !ok || s.String() != "IPVS service TCP 10.96.0.1:443" {
		t.Errorf("read: %s, %v, error %v", s, ok, err)
	}
	named, err := s.marshal()
	if err != nil {
		t.Fatal(err)
	}
	inner, _ := mdl.MarshalAttributes(key)
	want, _ := mdl.MarshalAttributes([]mdl.Attribute{{Type: 1 | mdl.Nested, Data: inner}})
	if !bytes.Equal(want, named) {
		t.Errorf("it is named by\n%x, not by\n%x", named, want)
	}
	v6 := netip.MustParseAddr("fd00::10").As16()
	s, ok, err = parseService(told(t, u16(1, unix.AF_INET6), u16(2, unix.IPPROTO_UDP), mdl.Attribute{Type: 3, Data: v6[:]}, mdl.Attribute{Type: 4, Data: []byte{0, 53}}))
	if err != nil || !ok || s.String() != "IPVS service UDP [fd00::10]:53" {
		t.Errorf("read: %s, %v, error %v", s, ok, err)
	}
	if s, ok, err := parseService(told(t, u16(1, unix.AF_INET), mdl.Attribute{Type: 5, Data: []byte{7, 0, 0, 0}})); ok || err != nil {
		t.Errorf("one of a firewall mark was read as %s, error %v", s, err)
	}
	if _, _, err := parseService([]byte{1}); err == nil {
		t.Error("an answer that is too short was read")
	}
}

func TestServiceIsOurs(t *testing.T) {
	set := func(list ...string) map[netip.Addr]bool {
		m := map[netip.Addr]bool{}
		for _, a := range list {
			m[netip.MustParseAddr(a)] = true
		}
		return m
	}
	onLink, local := set("10.96.0.1", "fd00::1"), set("10.96.0.1", "192.0.2.7", "fd00::1")
	for address, want := range map[string]bool{
		"10.96.0.1:443":   true,
		"[fd00::1]:53":    true,
		"192.0.2.7:30000": true,
		"192.0.2.7:32767": true,
		"192.0.2.7:443":   false, // of this machine, but somebody else's
		"192.0.2.7:32768": false,
		"192.0.2.9:30000": false, // not of this machine
	} {
		if got := (service{address: netip.MustParseAddrPort(address)}).ours(onLink, local); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
