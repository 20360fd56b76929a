package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// kubeSets begin the names of the IP sets of kube-proxy in its mode ipvs. Those for IPv6 begin with KUBE-6-.
var kubeSets = []string{"KUBE-"}

// cniSets begin the names of the IP sets of CNI plug-ins.
var cniSets = []string{
	"cali40", "cali60",
	"weave-",
	"ANTREA-",
	"cilium_node_set",
	"kube-router-",
	"inet6:KUBE-", "inet6:kube-router-", // kube-router's for IPv6
}

// Numbers of linux/netfilter/ipset/ip_set.h.
const (
	setProtocol     = 6 // the version, which all kernels since 2.6.39 understand
	setDestroy      = 3
	setList         = 7
	setAttrProtocol = 1
	setAttrName     = 2
	setAttrFlags    = 6
	setOnlyNames    = 1 << 1
	setErrorBusy    = unix.Errno(4100)
)

var errSetInUse = errors.New("a rule, or another set, names it")

func setsPart(name string, prefixes []string) Part {
	return Part{
		Name: name,
		Find: func(ctx context.Context) ([]string, error) {
			var lines []string
			err := withSets(ctx, func(n *netfilter) error {
				there, err := n.sets(prefixes)
				for _, s := range there {
					lines = append(lines, "IP set "+s)
				}
				return err
			})
			return lines, err
		},
		Remove: func(ctx context.Context) error {
			return withSets(ctx, func(n *netfilter) error { return n.destroy(ctx, prefixes) })
		},
	}
}

// withSets does something with the IP sets, if this kernel may have any.
func withSets(ctx context.Context, do func(n *netfilter) error) error {
	if !loaded("ip_set") {
		return nil
	}
	return with(ctx, do)
}

func (n *netfilter) sets(prefixes []string) ([]string, error) {
	m, err := message(unix.NFNL_SUBSYS_IPSET, setList, netlink.Dump, unix.AF_UNSPEC,
		netlink.Attribute{Type: setAttrProtocol, Data: []byte{setProtocol}},
		netlink.Attribute{Type: setAttrFlags | netlink.NetByteOrder, Data: binary.BigEndian.AppendUint32(nil, setOnlyNames)})
	if err != nil {
		return nil, err
	}
	answers, err := n.Execute(m)
	if errors.Is(err, unix.EINVAL) {
		return nil, errAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the IP sets: %w", err)
	}
	var there []string
	for _, a := range answers {
		ad, err := attributes(a)
		if err != nil {
			return nil, err
		}
		for ad.Next() {
			if ad.Type() != setAttrName {
				continue
			}
			if s := ad.String(); begins(s, prefixes) {
				there = append(there, s)
			}
		}
		if err := ad.Err(); err != nil {
			return nil, err
		}
	}
	return there, nil
}

// destroy destroys the sets. One that another of them names can go only after that.
func (n *netfilter) destroy(ctx context.Context, prefixes []string) error {
	return whileBusy(ctx, errSetInUse, func() error {
		there, err := n.sets(prefixes)
		if err != nil {
			return err
		}
		var failed []error
		for _, s := range there {
			m, err := message(unix.NFNL_SUBSYS_IPSET, setDestroy, netlink.Acknowledge, unix.AF_UNSPEC,
				netlink.Attribute{Type: setAttrProtocol, Data: []byte{setProtocol}}, text(setAttrName, s))
			if err != nil {
				return err
			}
			_, err = n.Execute(m)
			if errors.Is(err, setErrorBusy) {
				err = errSetInUse
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("cannot destroy the IP set %s: %w", s, err))
			}
		}
		return errors.Join(failed...)
	})
}
