package network

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// kubeCounters are the counters (nfacct) that rules of kube-proxy in its mode iptables count with.
var kubeCounters = []string{"ct_state_invalid_dropped_pkts", "localhost_nps_accepted_pkts"}

// Numbers of linux/netfilter/nfnetlink_acct.h.
const (
	counterGet      = 1
	counterDelete   = 3
	counterAttrName = 1
)

func countersPart(name string, ours []string) Part {
	return Part{
		Name: name,
		Find: func(ctx context.Context) ([]string, error) {
			var lines []string
			err := withCounters(ctx, ours, func(_ *netfilter, there []string) error {
				for _, c := range there {
					lines = append(lines, "nfacct counter "+c)
				}
				return nil
			})
			return lines, err
		},
		Remove: func(ctx context.Context) error {
			return withCounters(ctx, ours, func(n *netfilter, there []string) error {
				var failed []error
				for _, c := range there {
					// Without a name this would delete all counters.
					m, err := message(unix.NFNL_SUBSYS_ACCT, counterDelete, netlink.Acknowledge, unix.AF_UNSPEC, text(counterAttrName, c))
					if err != nil {
						return err
					}
					err = whileBusy(ctx, unix.EBUSY, func() error {
						_, err := n.Execute(m)
						return err
					})
					if err != nil {
						failed = append(failed, fmt.Errorf("cannot delete the nfacct counter %s: %w", c, err))
					}
				}
				return errors.Join(failed...)
			})
		},
	}
}

// withCounters does something with those of the counters that are there.
func withCounters(ctx context.Context, ours []string, do func(n *netfilter, there []string) error) error {
	if !loaded("nfnetlink_acct") {
		return nil
	}
	return with(ctx, func(n *netfilter) error {
		there, err := n.counters(ours)
		if err != nil {
			return err
		}
		return do(n, there)
	})
}

func (n *netfilter) counters(ours []string) ([]string, error) {
	m, err := message(unix.NFNL_SUBSYS_ACCT, counterGet, netlink.Dump, unix.AF_UNSPEC)
	if err != nil {
		return nil, err
	}
	answers, err := n.Execute(m)
	if errors.Is(err, unix.EINVAL) {
		return nil, errAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the nfacct counters: %w", err)
	}
	var there []string
	for _, a := range answers {
		ad, err := attributes(a)
		if err != nil {
			return nil, err
		}
		for ad.Next() {
			if ad.Type() != counterAttrName {
				continue
			}
			if c := ad.String(); slices.Contains(ours, c) {
				there = append(there, c)
			}
		}
		if err := ad.Err(); err != nil {
			return nil, err
		}
	}
	return there, nil
}
