package network

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// link is a network link by name and by kind: a link of another kind that happens to have the name is not ours.
type link struct {
	name func() *regexp.Regexp // compiled when it is first asked for: few commands look at links
	kind string
}

func named(kind string, name string) link {
	return link{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^" + name + "$") }), kind}
}

func (l link) is(name, kind string) bool { return kind == l.kind && l.name().MatchString(name) }

// kubeLinks are made by Kubernetes itself, besides ipvsLink.
var kubeLinks = []link{
	named("dummy", "nodelocaldns"), // of the addon NodeLocal DNSCache
}

// cniLinks are made by CNI plug-ins. Not here: tunl0 and other fallback devices, which the kernel makes and never deletes, and
// the ports of Open vSwitch (antrea-gw0, weave's datapath), which only Open vSwitch can delete.
var cniLinks = []link{
	named("bridge", "cni0"), // bridge, and flannel through it
	named("vxlan", `flannel(-v6)?\.[0-9]+`),
	named("wireguard", `flannel-wg(-v6)?`),
	named("veth", `cali[0-9a-f]{11}`), // the machine's ends of pods
	named("vxlan", `vxlan(-v6)?\.calico`),
	named("wireguard", `(wireguard|wg-v6)\.cali`),
	named("veth", `cilium_(host|net)`), // the ends of one pair
	named("vxlan", `cilium_vxlan`),
	named("geneve", `cilium_geneve`),
	named("wireguard", `cilium_wg0`),
	named("veth", `lxc_health`),
	named("veth", `lxc[0-9a-f]{12}`), // cilium's ends of pods; LXC itself calls its own veth...
	named("bridge", `weave`),
	named("vxlan", `vxlan-6784`), // weave; the number is its port
	named("veth", `vethwe-(bridge|datapath)`),
	named("bridge", `kube-bridge`),  // kube-router
	named("dummy", `kube-dummy-if`), // kube-router
}

func linksPart(name string, ours []link) Part {
	return Part{
		Name: name,
		Find: func(ctx context.Context) ([]string, error) {
			var lines []string
			there, err := find(ours)
			for _, l := range there {
				lines = append(lines, "link "+l.Attrs().Name)
			}
			return lines, err
		},
		Remove: func(ctx context.Context) error {
			there, err := find(ours)
			if err != nil {
				return err
			}
			return removeLinks(there)
		},
	}
}

func removeLinks(links []netlink.Link) error {
	var failed []error
	for _, l := range links {
		// The other end of a pair goes with the first.
		if err := netlink.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) {
			failed = append(failed, fmt.Errorf("cannot delete the link %s: %w", l.Attrs().Name, err))
		}
	}
	return errors.Join(failed...)
}

func find(ours []link) ([]netlink.Link, error) {
	all, err := uninterrupted(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("cannot list the network links: %w", err)
	}
	var there []netlink.Link
	for _, l := range all {
		if slices.ContainsFunc(ours, func(o link) bool { return o.is(l.Attrs().Name, l.Type()) }) {
			there = append(there, l)
		}
	}
	return there, nil
}

// uninterrupted lists again what changed while it was listed, as links do when pods end: such a list may lack some.
func uninterrupted[T any](list func() ([]T, error)) (all []T, err error) {
	for range attempts {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return all, err
}
