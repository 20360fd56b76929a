package network

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestLinks(t *testing.T) {
	isolate(t)
	called := func(name string) netlink.LinkAttrs { return netlink.LinkAttrs{Name: name} }
	for _, l := range []netlink.Link{
		&netlink.Bridge{LinkAttrs: called("cni0")},
		&netlink.Bridge{LinkAttrs: called("cni-podman0")},
		&netlink.Vxlan{LinkAttrs: called("flannel.1"), VxlanId: 1, Port: 8472},
		&netlink.Veth{LinkAttrs: called("cilium_host"), PeerName: "cilium_net"},
		&netlink.Veth{LinkAttrs: called("cali0123456789a"), PeerName: "inside"},
		&netlink.Veth{LinkAttrs: called("weave"), PeerName: "mine"}, // not what weave makes: a bridge
		&netlink.Bridge{LinkAttrs: called("kube-ipvs0")},            // not what kube-proxy makes: a dummy
	} {
		if err := netlink.LinkAdd(l); err != nil {
			t.Fatal(l.Attrs().Name, err)
		}
	}
	if err := netlink.LinkAdd(&netlink.Dummy{LinkAttrs: called("nodelocaldns")}); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		t.Fatal(err) // some kernels have no dummies
	}
	removeAll(t, false)
	want := []string{"cali0123456789a", "cilium_host", "cilium_net", "cni-podman0", "cni0", "flannel.1", "inside", "kube-ipvs0", "mine", "weave"}
	if diff := cmp.Diff(want, names(t)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	removeAll(t, true)
	if diff := cmp.Diff([]string{"cni-podman0", "kube-ipvs0", "mine", "weave"}, names(t)); diff != "" {
		t.Errorf("left with CNI (-want +got):\n%s", diff)
	}
}

// names lists the links, without the loopback and the fallback devices that some kernels make in each namespace.
func names(t *testing.T) []string {
	t.Helper()
	all, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range all {
		if slices.Contains([]string{"dummy", "bridge", "veth", "vxlan"}, l.Type()) {
			names = append(names, l.Attrs().Name)
		}
	}
	slices.Sort(names)
	return names
}

func TestLinkNames(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		kube, cni  bool
	}{
		{"kube-ipvs0", "dummy", true, false},
		{"kube-ipvs0", "bridge", false, false},
		{"kube-ipvs01", "dummy", false, false},
		{"nodelocaldns", "dummy", true, false},
		{"dummy0", "dummy", false, false},
		{"cni0", "bridge", false, true},
		{"flannel-v6.1", "vxlan", false, true},
		{"flannel-wg-v6", "wireguard", false, true},
		{"vxlan-v6.calico", "vxlan", false, true},
		{"wireguard.cali", "wireguard", false, true},
		{"calico0", "veth", false, false},
		{"tunl0", "ipip", false, false},
		{"lxc_health", "veth", false, true},
		{"lxc0a1b2c3d4e5f", "veth", false, true},
		{"lxcbr0", "bridge", false, false},
		{"docker0", "bridge", false, false},
		{"wg0", "wireguard", false, false},
		{"vxlan0", "vxlan", false, false},
	} {
		is := func(links []link) bool {
			return slices.ContainsFunc(links, func(l link) bool { return l.is(c.name, c.kind) })
		}
		if kube, cni := is(append([]link{ipvsLink}, kubeLinks...)), is(cniLinks); kube != c.kube || cni != c.cni {
			t.Errorf("%s of kind %s: kube %v, cni %v; want %v, %v", c.name, c.kind, kube, cni, c.kube, c.cni)
		}
	}
}

func TestUninterrupted(t *testing.T) {
	for times, want := range map[int]error{0: nil, 3: nil, attempts: netlink.ErrDumpInterrupted} {
		calls := 0
		all, err := uninterrupted(func() ([]string, error) {
			if calls++; calls <= times {
				return []string{"some"}, netlink.ErrDumpInterrupted
			}
			return []string{"all", "of", "them"}, nil
		})
		if !errors.Is(err, want) || want == nil && len(all) != 3 {
			t.Errorf("%d interruptions: %q, error %v", times, all, err)
		}
	}
}
