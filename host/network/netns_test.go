package network

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// isolate gives the test a network namespace of its own. The thread that is in it ends with the test, because it stays locked.
func isolate(t *testing.T) *nftables.Conn {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a network namespace of its own")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skip("no network namespace:", err)
	}
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ListTables(); errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPROTONOSUPPORT) {
		t.Skip("this kernel has no nftables:", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return c
}

// maker makes tables, chains and rules, by another library than what is tested, and reads them with it.
type maker struct {
	t *testing.T
	*nftables.Conn
}

func (m maker) table(family nftables.TableFamily, name string) *nftables.Table {
	return m.AddTable(&nftables.Table{Family: family, Name: name})
}

func (m maker) base(t *nftables.Table, name string, hook *nftables.ChainHook, policy nftables.ChainPolicy) *nftables.Chain {
	kind := nftables.ChainTypeFilter
	if t.Name == "nat" {
		kind = nftables.ChainTypeNAT
	}
	return m.AddChain(&nftables.Chain{Table: t, Name: name, Type: kind, Hooknum: hook, Priority: nftables.ChainPriorityFilter, Policy: &policy})
}

func (m maker) chain(t *nftables.Table, name string) *nftables.Chain {
	return m.AddChain(&nftables.Chain{Table: t, Name: name})
}

// rule adds a rule as iptables writes them: a comment by xtables, a counter that has counted, and the verdict.
func (m maker) rule(c *nftables.Chain, comment string, kind expr.VerdictKind, to string) {
	info := xt.Unknown(make([]byte, 256))
	copy(info, comment)
	m.AddRule(&nftables.Rule{Table: c.Table, Chain: c, UserData: []byte("\x00\x02x\x00"), Exprs: []expr.Any{
		&expr.Match{Name: "comment", Info: &info},
		&expr.Counter{Packets: uint64(7 + len(comment)), Bytes: 1234567},
		&expr.Verdict{Kind: kind, Chain: to},
	}})
}

func (m maker) flush() {
	m.t.Helper()
	if err := m.Flush(); err != nil {
		m.t.Fatal(err)
	}
}

// look reads everything; what is left of a chain's rules is their handles, expressions (with counters) and comments, in order.
func (m maker) look() map[string][]*nftables.Rule {
	m.t.Helper()
	found := map[string][]*nftables.Rule{}
	tables, err := m.ListTables()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, t := range tables {
		found[families[byte(t.Family)]+" "+t.Name] = nil
	}
	chains, err := m.ListChains()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, c := range chains {
		rules, err := m.GetRules(c.Table, c)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, r := range rules {
			r.Position = 0 // the handle of the rule before
		}
		policy := ""
		if c.Policy != nil {
			policy = map[nftables.ChainPolicy]string{nftables.ChainPolicyDrop: " DROP", nftables.ChainPolicyAccept: " ACCEPT"}[*c.Policy]
		}
		found[families[byte(c.Table.Family)]+" "+c.Table.Name+" "+c.Name+policy] = rules
	}
	return found
}
