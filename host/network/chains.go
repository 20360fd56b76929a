package network

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// owner says which chains and rules of iptables are somebody's.
type owner struct {
	chains  []string       // how the names of their chains begin
	comment *regexp.Regexp // a comment that all rules have that they put into chains of others without jumping to their own; or nil
}

// kubeChains are those of kube-proxy (in its modes iptables and ipvs) and of the kubelet. All rules that they put into chains of
// others jump to one of these.
var kubeChains = owner{chains: []string{"KUBE-"}}

// cniChains are those of CNI plug-ins.
var cniChains = owner{
	chains: []string{
		"CNI-", // portmap, bridge, ptp, firewall
		"cali-",
		"FLANNEL-",
		"CILIUM_",
		"OLD_CILIUM_", // while it replaces its chains
		"WEAVE-",
		"ANTREA-",
	},
	comment: regexp.MustCompile(`^cali:[A-Za-z0-9_-]{16}$`), // Calico hashes its rules
}

func (o owner) hasChain(name string) bool { return begins(name, o.chains) }

func (o owner) hasComment(comments []string) bool {
	return o.comment != nil && slices.ContainsFunc(comments, o.comment.MatchString)
}

// builtin are the tables of iptables, and which chains of theirs iptables makes by itself.
var builtin = map[string][]string{
	"raw":      {"PREROUTING", "OUTPUT"},
	"mangle":   {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"},
	"nat":      {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"},
	"filter":   {"INPUT", "FORWARD", "OUTPUT"},
	"security": {"INPUT", "FORWARD", "OUTPUT"},
}

// removal is what of one table goes.
type removal struct {
	table  table
	rules  []rule // in chains of others
	chains []string
	whole  bool // nothing of others is left in the table then
}

// remove says what of a table goes, if what is its owner's does. A table that has nothing but the chains that iptables
// makes when it puts the first rule there goes with the last rule: it was made for ours.
func remove(t table, chains []chain, rules []rule, o owner) removal {
	r := removal{table: t, whole: t.plain && int(t.uses) == len(chains)}
	ours := map[string]bool{} // thousands of services have tens of thousands of chains
	for _, c := range chains {
		if o.hasChain(c.name) && !c.base {
			r.chains = append(r.chains, c.name)
			ours[c.name] = true
		} else if !c.base || !c.accept || !slices.Contains(builtin[t.name], c.name) {
			r.whole = false
		}
	}
	for _, one := range rules {
		switch {
		case ours[one.chain]:
		case ours[one.to], o.hasComment(one.comments):
			r.rules = append(r.rules, one)
		default:
			r.whole = false
		}
	}
	r.whole = r.whole && r.some()
	return r
}

// some says whether anything goes at all.
func (r removal) some() bool { return len(r.chains)+len(r.rules) > 0 }

func begins(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

func (r removal) lines() []string {
	var lines []string
	for _, one := range r.rules {
		why := append([]string{"to " + one.to}, one.comments...)
		if one.to == "" {
			why = one.comments
		}
		lines = append(lines, fmt.Sprintf("rule %d of chain %s in %s: %s", one.handle, one.chain, r.table, strings.Join(why, ", ")))
	}
	for _, c := range r.chains {
		lines = append(lines, fmt.Sprintf("chain %s in %s", c, r.table))
	}
	return lines
}

// changes are what the kernel is told: rules that lead to a chain, and rules in it, go before the chain, since one that is in
// use can't be deleted.
func (r removal) changes() ([]netlink.Message, error) {
	var list []netlink.Message
	var failed error
	add := func(typ int, attrs ...netlink.Attribute) {
		m, err := message(unix.NFNL_SUBSYS_NFTABLES, typ, 0, r.table.family, attrs...)
		if err != nil {
			failed = err
		}
		list = append(list, m)
	}
	for _, one := range r.rules {
		add(unix.NFT_MSG_DELRULE, text(unix.NFTA_RULE_TABLE, r.table.name), text(unix.NFTA_RULE_CHAIN, one.chain),
			number(unix.NFTA_RULE_HANDLE, one.handle))
	}
	for _, c := range r.chains {
		add(unix.NFT_MSG_DELRULE, text(unix.NFTA_RULE_TABLE, r.table.name), text(unix.NFTA_RULE_CHAIN, c))
	}
	for _, c := range r.chains {
		add(unix.NFT_MSG_DELCHAIN, text(unix.NFTA_CHAIN_TABLE, r.table.name), text(unix.NFTA_CHAIN_NAME, c))
	}
	if r.whole {
		add(unix.NFT_MSG_DELTABLE, text(unix.NFTA_TABLE_NAME, r.table.name))
	}
	return list, failed
}

// removals returns what goes in the tables of iptables of one family.
func (n *netfilter) removals(family byte, o owner) ([]removal, error) {
	tables, err := n.tables(family)
	if err != nil {
		return nil, err
	}
	var all []removal
	for _, t := range tables {
		if builtin[t.name] == nil {
			continue
		}
		chains, err := n.chains(t)
		if err != nil {
			return nil, err
		}
		rules, err := n.rules(t)
		if err != nil {
			return nil, err
		}
		if r := remove(t, chains, rules, o); r.some() {
			all = append(all, r)
		}
	}
	return all, nil
}

// chainsPart is about iptables in the form that it has in nftables. Each family is one change, all or nothing.
func chainsPart(name string, o owner) Part {
	both := []byte{unix.NFPROTO_IPV4, unix.NFPROTO_IPV6}
	return Part{
		Name: name,
		Find: func(ctx context.Context) ([]string, error) {
			var lines []string
			for _, family := range both {
				var there []removal
				err := look(ctx, func(n *netfilter) (err error) {
					there, err = n.removals(family, o)
					return err
				})
				if err != nil {
					return nil, err
				}
				for _, r := range there {
					lines = append(lines, r.lines()...)
				}
			}
			return lines, nil
		},
		Remove: func(ctx context.Context) error {
			for _, family := range both {
				err := retry(ctx, func(n *netfilter, generation uint32) error {
					there, err := n.removals(family, o)
					if err != nil {
						return err
					}
					var changes []netlink.Message
					for _, r := range there {
						more, err := r.changes()
						if err != nil {
							return err
						}
						changes = append(changes, more...)
					}
					return n.batch(generation, changes)
				})
				if errors.Is(err, unix.EBUSY) {
					err = fmt.Errorf("%w\nsomething else leads to one of the chains, as a verdict map: `nft list ruleset` tells", err)
				}
				if err != nil {
					return fmt.Errorf("cannot delete the %s in the tables of family %s: %w", name, families[family], err)
				}
			}
			return nil
		},
	}
}
