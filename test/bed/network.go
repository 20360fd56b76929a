package bed

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

func linkExists(name string) bool { _, err := netlink.LinkByName(name); return err == nil }

// createBridge makes the lab's network, with the host on it. A bridge without a MAC address of its own takes that of a machine, and
// another one when the machine goes: the others would not reach the host until they ask for its address again.
func createBridge(name, addr string) error {
	a, err := netlink.ParseAddr(addr)
	if err != nil {
		return fmt.Errorf("cannot set up bridge %s: %w", name, err)
	}
	br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: append(net.HardwareAddr{2, 0}, a.IP.To4()...)}}
	if err := netlink.LinkAdd(br); err != nil {
		return fmt.Errorf("cannot create bridge %s: %w", name, err)
	}
	if err := errors.Join(netlink.AddrAdd(br, a), netlink.LinkSetUp(br)); err != nil {
		return fmt.Errorf("cannot set up bridge %s: %w", name, err)
	}
	return nil
}

// removeLinks removes the host's links whose name starts so. The other end of a veth goes with it.
func removeLinks(prefix string) error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("cannot list links: %w", err)
	}
	var errs []error
	for _, link := range links {
		if strings.HasPrefix(link.Attrs().Name, prefix) {
			errs = append(errs, removeLink(link.Attrs().Name))
		}
	}
	return errors.Join(errs...)
}

// removeLink removes a link of the host, if it is there: the kernel removes some by itself, a little later.
func removeLink(name string) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil && linkExists(name) {
		return fmt.Errorf("cannot remove link %s: %w", name, err)
	}
	return nil
}

// connect gives the network namespace of a process an eth0 on the bridge, and routes to the pods of other machines.
func connect(pid int, bridge, hostEnd, addr, gateway string) error {
	br, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("cannot find bridge %s: %w", bridge, err)
	}
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: hostEnd, MasterIndex: br.Attrs().Index},
		PeerName:  "eth0", PeerNamespace: netlink.NsPid(pid),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("cannot connect %s: %w", hostEnd, err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		return fmt.Errorf("cannot connect %s: %w", hostEnd, err)
	}
	inside, done, err := handleOf(pid)
	if err != nil {
		return err
	}
	defer done()
	for _, name := range []string{"lo", "eth0"} {
		link, err := inside.LinkByName(name)
		if err == nil {
			err = inside.LinkSetUp(link)
		}
		if err == nil && name == "eth0" {
			a, perr := netlink.ParseAddr(addr)
			err = perr
			if err == nil {
				err = inside.AddrAdd(link, a)
			}
		}
		if err != nil {
			return fmt.Errorf("cannot set up %s of %s: %w", name, hostEnd, err)
		}
	}
	return inside.RouteAdd(&netlink.Route{Gw: net.ParseIP(gateway)})
}

// routePods sends packets for a pod range to the machine that has it.
func routePods(pid int, podRange, via string) error {
	inside, done, err := handleOf(pid)
	if err != nil {
		return err
	}
	defer done()
	dst, err := netlink.ParseIPNet(podRange)
	if err != nil {
		return err
	}
	return inside.RouteReplace(&netlink.Route{Dst: dst, Gw: net.ParseIP(via)})
}

// handleOf talks to the kernel about the network namespace of a process.
func handleOf(pid int) (h *netlink.Handle, done func(), err error) {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open the network namespace of process %d: %w", pid, err)
	}
	if h, err = netlink.NewHandleAt(ns); err != nil {
		ns.Close()
		return nil, nil, fmt.Errorf("cannot enter the network namespace of process %d: %w", pid, err)
	}
	return h, func() { h.Close(); ns.Close() }, nil
}
