package network

import (
	"context"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// tableName is the name of a table that belongs to one program alone.
type tableName struct {
	family byte
	name   string
}

// kubeTables are those of kube-proxy in its nftables mode.
var kubeTables = []tableName{
	{unix.NFPROTO_IPV4, "kube-proxy"},
	{unix.NFPROTO_IPV6, "kube-proxy"},
}

// cniTables are those of CNI plug-ins that use nftables themselves.
var cniTables = []tableName{
	{unix.NFPROTO_IPV4, "calico"},
	{unix.NFPROTO_IPV6, "calico"},
	{unix.NFPROTO_IPV4, "flannel-ipv4"},
	{unix.NFPROTO_IPV6, "flannel-ipv6"},
	{unix.NFPROTO_IPV4, "cni_hostport"}, // portmap
	{unix.NFPROTO_IPV6, "cni_hostport"},
	{unix.NFPROTO_INET, "cni_plugins_masquerade"}, // bridge and ptp
}

func tablesPart(name string, ours []tableName) Part {
	return Part{
		Name: name,
		Find: func(ctx context.Context) ([]string, error) {
			var lines []string
			err := look(ctx, func(n *netfilter) error {
				there, err := n.tablesOf(ours)
				lines = nil
				for _, t := range there {
					lines = append(lines, t.String())
				}
				return err
			})
			return lines, err
		},
		Remove: func(ctx context.Context) error {
			return retry(ctx, func(n *netfilter, generation uint32) error {
				there, err := n.tablesOf(ours)
				if err != nil {
					return err
				}
				var changes []netlink.Message
				for _, t := range there {
					m, err := message(unix.NFNL_SUBSYS_NFTABLES, unix.NFT_MSG_DELTABLE, 0, t.family, text(unix.NFTA_TABLE_NAME, t.name))
					if err != nil {
						return err
					}
					changes = append(changes, m)
				}
				if err := n.batch(generation, changes); err != nil {
					return fmt.Errorf("cannot delete the %s: %w", name, err)
				}
				return nil
			})
		},
	}
}

// tablesOf returns those of the tables that are there, in the order of the names.
func (n *netfilter) tablesOf(ours []tableName) ([]table, error) {
	var there []table
	for _, family := range []byte{unix.NFPROTO_IPV4, unix.NFPROTO_IPV6, unix.NFPROTO_INET} {
		all, err := n.tables(family)
		if err != nil {
			return nil, err
		}
		for _, t := range all {
			if slices.Contains(ours, tableName{t.family, t.name}) {
				there = append(there, t)
			}
		}
	}
	return there, nil
}
