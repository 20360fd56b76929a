package network

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// lay puts into the namespace what kube-proxy, a CNI plug-in and somebody else have there, mixed.
func lay(m maker, family nftables.TableFamily) {
	nat := m.table(family, "nat")
	pre := m.base(nat, "PREROUTING", nftables.ChainHookPrerouting, nftables.ChainPolicyAccept)
	post := m.base(nat, "POSTROUTING", nftables.ChainHookPostrouting, nftables.ChainPolicyAccept)
	m.chain(nat, "DOCKER-USER")
	services, one, foreign := m.chain(nat, "KUBE-SERVICES"), m.chain(nat, "KUBE-SVC-1"), m.chain(nat, "DOCKER")
	cni := m.chain(nat, "CNI-HOSTPORT-DNAT")
	m.rule(pre, "foreign before", expr.VerdictAccept, "")
	m.rule(pre, "kubernetes service portals", expr.VerdictJump, "KUBE-SERVICES")
	m.rule(pre, "foreign between", expr.VerdictJump, "DOCKER")
	m.rule(pre, "kubernetes service portals, again", expr.VerdictGoto, "KUBE-SERVICES")
	m.rule(pre, "KUBE-SERVICES only in the comment", expr.VerdictAccept, "")
	m.rule(pre, "cali:S93hcgKJrXEqnTfs", expr.VerdictAccept, "")
	m.rule(pre, "cali: my notes", expr.VerdictAccept, "")
	m.rule(pre, "port maps", expr.VerdictJump, "CNI-HOSTPORT-DNAT")
	m.rule(post, "foreign", expr.VerdictReturn, "")
	m.rule(services, "a service", expr.VerdictJump, "KUBE-SVC-1")
	m.rule(services, "foreign in ours", expr.VerdictJump, "DOCKER-USER")
	m.rule(one, "an endpoint", expr.VerdictReturn, "")
	m.rule(foreign, "foreign that uses ours", expr.VerdictJump, "KUBE-SERVICES")
	m.rule(foreign, "foreign", expr.VerdictAccept, "")
	m.rule(cni, "a port", expr.VerdictReturn, "")

	mangle := m.table(family, "mangle") // only ours
	m.base(mangle, "PREROUTING", nftables.ChainHookPrerouting, nftables.ChainPolicyAccept)
	hint := m.chain(mangle, "KUBE-IPTABLES-HINT")
	m.rule(hint, "nothing", expr.VerdictReturn, "")
	filter := m.table(family, "filter") // ours, and a policy of somebody
	in := m.base(filter, "INPUT", nftables.ChainHookInput, nftables.ChainPolicyDrop)
	m.chain(filter, "KUBE-FIREWALL")
	m.rule(in, "", expr.VerdictJump, "KUBE-FIREWALL")
	raw := m.table(family, "raw") // empty, but not by us
	m.base(raw, "OUTPUT", nftables.ChainHookOutput, nftables.ChainPolicyAccept)

	proxy := m.table(family, "kube-proxy")
	m.rule(m.chain(proxy, "services"), "", expr.VerdictReturn, "")
	kw := m.table(nftables.TableFamilyINet, "kw") // somebody's, with chains of such names
	m.rule(m.chain(kw, "KUBE-NOT-OURS"), "", expr.VerdictReturn, "")
	own := m.table(family, "own")
	m.chain(own, "KUBE-NEITHER-OURS")
	m.flush()
}

func TestRemove(t *testing.T) {
	kube := []string{" mangle", "ip kube-proxy", "ip6 kube-proxy", "nat KUBE-", "filter KUBE-"}
	for _, c := range []struct {
		name string
		cni  bool
		gone []string // of what lay made
	}{
		{"kube", false, kube},
		{"cni", true, append([]string{"nat CNI-"}, kube...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := maker{t, isolate(t)}
			lay(m, nftables.TableFamilyIPv4)
			lay(m, nftables.TableFamilyIPv6)
			want := m.look()
			maps.DeleteFunc(want, func(chain string, _ []*nftables.Rule) bool {
				return slices.ContainsFunc(c.gone, func(part string) bool { return strings.Contains(chain, part) })
			})
			for chain, rules := range want {
				want[chain] = slices.DeleteFunc(rules, func(r *nftables.Rule) bool {
					for _, e := range r.Exprs {
						if match, ok := e.(*expr.Match); ok && c.cni && *match.Info.(*xt.Comment) == "cali:S93hcgKJrXEqnTfs" {
							return true
						}
						if v, ok := e.(*expr.Verdict); ok && !strings.Contains(chain, "kw") &&
							(strings.HasPrefix(v.Chain, "KUBE-") || c.cni && strings.HasPrefix(v.Chain, "CNI-")) {
							return true
						}
					}
					return false
				})
			}
			removeAll(t, c.cni)
			if diff := cmp.Diff(want, m.look(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("what is left (-want +got):\n%s", diff)
			}
			for _, chain := range []string{"ip nat PREROUTING ACCEPT", "ip6 nat DOCKER", "ip filter INPUT DROP", "inet kw KUBE-NOT-OURS", "ip raw"} {
				if _, ok := want[chain]; !ok {
					t.Errorf("the test has lost %s", chain)
				}
			}
		})
	}
}

// removeAll removes all parts, and says so if something is found afterwards.
func removeAll(t *testing.T, cni bool) {
	t.Helper()
	for _, p := range Parts(cni) {
		if err := p.Remove(t.Context()); err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
	}
	for _, p := range Parts(cni) {
		if found, err := p.Find(t.Context()); err != nil || len(found) > 0 {
			t.Errorf("%s: found %q afterwards, error %v", p.Name, found, err)
		}
		if err := p.Remove(t.Context()); err != nil {
			t.Errorf("%s, again: %v", p.Name, err)
		}
	}
}

func TestFind(t *testing.T) {
	m := maker{t, isolate(t)}
	nat := m.table(nftables.TableFamilyIPv4, "nat")
	pre := m.base(nat, "PREROUTING", nftables.ChainHookPrerouting, nftables.ChainPolicyAccept)
	m.chain(nat, "KUBE-SERVICES")
	m.chain(nat, "CNI-HOSTPORT-DNAT")
	m.rule(pre, "portals", expr.VerdictJump, "KUBE-SERVICES")
	m.rule(pre, "cali:S93hcgKJrXEqnTfs", expr.VerdictAccept, "")
	m.table(nftables.TableFamilyIPv6, "kube-proxy")
	m.table(nftables.TableFamilyIPv4, "calico")
	m.flush()
	before := m.look()
	var got []string
	for _, p := range Parts(true) {
		found, err := p.Find(t.Context())
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		got = append(got, found...)
	}
	want := []string{"table ip6 kube-proxy", "rule 4 of chain PREROUTING in table ip nat: to KUBE-SERVICES, portals",
		"chain KUBE-SERVICES in table ip nat", "table ip calico",
		"rule 5 of chain PREROUTING in table ip nat: cali:S93hcgKJrXEqnTfs", "chain CNI-HOSTPORT-DNAT in table ip nat"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, m.look()); diff != "" {
		t.Errorf("looking has changed something:\n%s", diff)
	}
}

func TestEmptiedTable(t *testing.T) {
	for name, c := range map[string]struct {
		add  func(m maker, filter *nftables.Table)
		goes bool
	}{
		"nothing else":    {func(maker, *nftables.Table) {}, true},
		"a foreign chain": {func(m maker, f *nftables.Table) { m.chain(f, "DOCKER") }, false},
		"a base chain that iptables does not make": {func(m maker, f *nftables.Table) {
			m.base(f, "mine", nftables.ChainHookOutput, nftables.ChainPolicyAccept)
		}, false},
		"a policy": {func(m maker, f *nftables.Table) {
			m.base(f, "FORWARD", nftables.ChainHookForward, nftables.ChainPolicyDrop)
		}, false},
		"a foreign rule": {func(m maker, f *nftables.Table) {
			m.rule(m.base(f, "OUTPUT", nftables.ChainHookOutput, nftables.ChainPolicyAccept), "", expr.VerdictAccept, "")
		}, false},
		"a foreign set": {func(m maker, f *nftables.Table) {
			if err := m.AddSet(&nftables.Set{Table: f, Name: "s", KeyType: nftables.TypeIPAddr}, nil); err != nil {
				m.t.Fatal(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := maker{t, isolate(t)}
			f := m.table(nftables.TableFamilyIPv4, "filter")
			in := m.base(f, "INPUT", nftables.ChainHookInput, nftables.ChainPolicyAccept)
			m.chain(f, "KUBE-FIREWALL")
			m.rule(in, "", expr.VerdictJump, "KUBE-FIREWALL")
			c.add(m, f)
			m.flush()
			removeAll(t, false)
			if _, stays := m.look()["ip filter"]; stays == c.goes {
				t.Errorf("the table stays: %v", stays)
			}
		})
	}
}

// A cluster with thousands of services has more changes than a socket takes by default, in one batch.
func TestRemoveThousands(t *testing.T) {
	m := maker{t, isolate(t)}
	nat := m.table(nftables.TableFamilyIPv4, "nat")
	m.base(nat, "PREROUTING", nftables.ChainHookPrerouting, nftables.ChainPolicyAccept)
	for i := range 100 {
		for j := range 100 {
			m.chain(nat, "KUBE-SVC-"+strings.Repeat("X", 12)+string(rune('A'+i%26))+string(rune('A'+i/26))+string(rune('A'+j%26))+string(rune('A'+j/26)))
		}
		m.flush()
	}
	removeAll(t, false)
	if left := m.look(); len(left) > 0 {
		t.Errorf("%d things are left", len(left))
	}
}

// Who changes the rules after they were looked at must not lose anything: then nothing is done, and it is looked again.
func TestBatchOfAnotherGeneration(t *testing.T) {
	m := maker{t, isolate(t)}
	f := m.table(nftables.TableFamilyIPv4, "filter")
	m.chain(f, "KUBE-FIREWALL")
	m.flush()
	calls := 0
	err := retry(t.Context(), func(n *netfilter, generation uint32) error {
		there, err := n.removals(unix.NFPROTO_IPV4, kubeChains)
		if err != nil {
			return err
		}
		changes, err := there[0].changes()
		if err != nil {
			return err
		}
		if calls++; calls == 1 { // the table is to go as a whole, and now there is a chain of somebody else in it
			m.chain(f, "DOCKER")
			m.flush()
		}
		return n.batch(generation, changes)
	})
	if err != nil || calls != 2 {
		t.Errorf("%d calls, error %v", calls, err)
	}
	if _, ok := m.look()["ip filter DOCKER"]; !ok {
		t.Error("the other's chain is gone")
	}
}

// What was found while somebody else changed the rules may lack some: it is looked again, and only the last look counts.
func TestLookWhileRulesChange(t *testing.T) {
	m := maker{t, isolate(t)}
	m.table(nftables.TableFamilyIPv4, "filter")
	m.flush()
	calls := 0
	change := func(times int) error {
		calls = 0
		return look(t.Context(), func(*netfilter) error {
			if calls++; calls <= times {
				m.table(nftables.TableFamilyIPv4, fmt.Sprint("others-", times, "-", calls))
				m.flush()
			}
			return nil
		})
	}
	for times, want := range map[int]error{0: nil, 2: nil, attempts: errChanged} {
		if err := change(times); !errors.Is(err, want) || calls != min(times+1, attempts) {
			t.Errorf("%d changes: %d looks, error %v", times, calls, err)
		}
	}
}

// A verdict map of somebody else that leads to a chain of ours keeps it: all stays, and that is said.
func TestChainInUse(t *testing.T) {
	m := maker{t, isolate(t)}
	f := m.table(nftables.TableFamilyIPv4, "filter")
	in := m.base(f, "INPUT", nftables.ChainHookInput, nftables.ChainPolicyAccept)
	m.chain(f, "KUBE-FIREWALL")
	m.rule(in, "", expr.VerdictJump, "KUBE-FIREWALL")
	set := &nftables.Set{Table: f, Name: "where", IsMap: true, KeyType: nftables.TypeInetService, DataType: nftables.TypeVerdict}
	if err := m.AddSet(set, []nftables.SetElement{{Key: []byte{0, 80}, VerdictData: &expr.Verdict{Kind: expr.VerdictJump, Chain: "KUBE-FIREWALL"}}}); err != nil {
		t.Fatal(err)
	}
	m.flush()
	before := m.look()
	err := chainsPart("chains", kubeChains).Remove(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "cannot delete the chains in the tables of family ip: ") || !strings.Contains(err.Error(), "\nsomething else leads to one") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, m.look()); diff != "" {
		t.Errorf("something was changed:\n%s", diff)
	}
}
