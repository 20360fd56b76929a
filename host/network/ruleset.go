package network

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// table is one nftables table.
type table struct {
	family byte // unix.NFPROTO_IPV4 and so on
	name   string
	uses   uint32 // how many chains, sets, objects and flow tables it has
	plain  bool   // it has no flags, no owner and no comment
}

func (t table) String() string {
	return fmt.Sprintf("table %s %s", families[t.family], t.name)
}

var families = map[byte]string{unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_INET: "inet"}

// Attributes of a table that x/sys does not name: NFTA_TABLE_USERDATA and NFTA_TABLE_OWNER of linux/netfilter/nf_tables.h.
const (
	tableUserData = 6
	tableOwner    = 7
)

// chain is one chain of a table.
type chain struct {
	name   string
	base   bool // the kernel calls it, nobody has to jump there
	accept bool // of a base chain: its policy
}

// rule is one rule, by its handle.
type rule struct {
	chain    string
	handle   uint64
	to       string // the chain that it jumps or goes to, "" if none
	comments []string
}

func (n *netfilter) tables(family byte) ([]table, error) {
	answers, err := n.ask(unix.NFT_MSG_GETTABLE, netlink.Dump, family)
	if err != nil {
		return nil, fmt.Errorf("cannot list the tables of the packet filter: %w", err)
	}
	var all []table
	for _, m := range answers {
		ad, err := attributes(m)
		if err != nil {
			return nil, err
		}
		t := table{family: m.Data[0], plain: true}
		for ad.Next() {
			switch ad.Type() {
			case unix.NFTA_TABLE_NAME:
				t.name = ad.String()
			case unix.NFTA_TABLE_USE:
				t.uses = ad.Uint32()
			case unix.NFTA_TABLE_FLAGS:
				t.plain = t.plain && ad.Uint32() == 0
			case tableUserData, tableOwner:
				t.plain = false
			}
		}
		if err := ad.Err(); err != nil {
			return nil, err
		}
		if t.family == family {
			all = append(all, t)
		}
	}
	return all, nil
}

func (n *netfilter) chains(t table) ([]chain, error) {
	answers, err := n.ask(unix.NFT_MSG_GETCHAIN, netlink.Dump, t.family)
	if err != nil {
		return nil, fmt.Errorf("cannot list the chains of the packet filter: %w", err)
	}
	var all []chain
	for _, m := range answers {
		ad, err := attributes(m)
		if err != nil {
			return nil, err
		}
		var c chain
		var of string
		for ad.Next() {
			switch ad.Type() {
			case unix.NFTA_CHAIN_TABLE:
				of = ad.String()
			case unix.NFTA_CHAIN_NAME:
				c.name = ad.String()
			case unix.NFTA_CHAIN_HOOK:
				c.base = true
			case unix.NFTA_CHAIN_POLICY:
				c.accept = ad.Uint32() == 1 // NF_ACCEPT
			}
		}
		if err := ad.Err(); err != nil {
			return nil, err
		}
		if of == t.name && m.Data[0] == t.family {
			all = append(all, c)
		}
	}
	return all, nil
}

func (n *netfilter) rules(t table) ([]rule, error) {
	answers, err := n.ask(unix.NFT_MSG_GETRULE, netlink.Dump, t.family, text(unix.NFTA_RULE_TABLE, t.name))
	if err != nil {
		return nil, fmt.Errorf("cannot list the rules of %s: %w", t, err)
	}
	var all []rule
	for _, m := range answers {
		ad, err := attributes(m)
		if err != nil {
			return nil, err
		}
		var r rule
		var of string
		for ad.Next() {
			switch ad.Type() {
			case unix.NFTA_RULE_TABLE:
				of = ad.String()
			case unix.NFTA_RULE_CHAIN:
				r.chain = ad.String()
			case unix.NFTA_RULE_HANDLE:
				r.handle = ad.Uint64()
			case unix.NFTA_RULE_EXPRESSIONS:
				ad.Nested(func(list *netlink.AttributeDecoder) error { return r.expressions(list) })
			}
		}
		if err := ad.Err(); err != nil {
			return nil, fmt.Errorf("cannot read a rule of %s: %w", t, err)
		}
		if of == t.name && m.Data[0] == t.family {
			all = append(all, r)
		}
	}
	return all, nil
}

// expressions looks for the verdict and for comments among a rule's expressions: of all others only the name is read.
func (r *rule) expressions(list *netlink.AttributeDecoder) error {
	for list.Next() {
		list.Nested(func(e *netlink.AttributeDecoder) error {
			var name string
			for e.Next() {
				switch e.Type() {
				case unix.NFTA_EXPR_NAME:
					name = e.String()
				case unix.NFTA_EXPR_DATA:
					switch name {
					case "immediate":
						r.to = within(e, r.to, unix.NFTA_IMMEDIATE_DATA, unix.NFTA_DATA_VERDICT, unix.NFTA_VERDICT_CHAIN)
					case "match":
						e.Nested(r.match)
					}
				}
			}
			return e.Err()
		})
	}
	return list.Err()
}

// match reads what a module of iptables matches by: the one for comments always does, and holds a text that ends with a zero.
func (r *rule) match(m *netlink.AttributeDecoder) error {
	var name string
	for m.Next() {
		switch m.Type() {
		case unix.NFTA_MATCH_NAME:
			name = m.String()
		case unix.NFTA_MATCH_INFO:
			if name == "comment" {
				comment, _, _ := bytes.Cut(m.Bytes(), []byte{0})
				r.comments = append(r.comments, string(comment))
			}
		}
	}
	return m.Err()
}

// within follows the types into nested attributes, and returns the string at their end, or what is given if there is none.
func within(at *netlink.AttributeDecoder, otherwise string, types ...uint16) string {
	found := otherwise
	at.Nested(func(in *netlink.AttributeDecoder) error {
		for in.Next() {
			switch {
			case in.Type() != types[0]:
			case len(types) == 1:
				found = in.String()
			default:
				found = within(in, found, types[1:]...)
			}
		}
		return in.Err()
	})
	return found
}

func number(typ uint16, v uint64) netlink.Attribute {
	return netlink.Attribute{Type: typ, Data: binary.BigEndian.AppendUint64(nil, v)}
}
