package network

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	mdl "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func setNames(t *testing.T) []string {
	t.Helper()
	all, err := netlink.IpsetListAll()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.SetName)
	}
	slices.Sort(names)
	return names
}

func TestSets(t *testing.T) {
	isolate(t)
	if !loaded("ip_set") {
		t.Skip("this kernel has no IP sets")
	}
	for _, s := range []string{"KUBE-CLUSTER-IP", "KUBE-6-CLUSTER-IP", "mine", "not-KUBE-", "cali40s:x", "weave-x"} {
		if err := netlink.IpsetCreate(s, "hash:ip", netlink.IpsetCreateOptions{Family: unix.AF_INET}); err != nil {
			t.Fatal(s, err)
		}
	}
	removeAll(t, false)
	if diff := cmp.Diff([]string{"cali40s:x", "mine", "not-KUBE-", "weave-x"}, setNames(t)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	removeAll(t, true)
	if diff := cmp.Diff([]string{"mine", "not-KUBE-"}, setNames(t)); diff != "" {
		t.Errorf("left with CNI (-want +got):\n%s", diff)
	}
}

// A counter that a rule names can be deleted only some time after the rule, when the kernel has let go of it.
func TestCounters(t *testing.T) {
	m := maker{t, isolate(t)}
	names := []string{"ct_state_invalid_dropped_pkts", "localhost_nps_accepted_pkts", "mine"}
	c, err := mdl.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n := &netfilter{c}
	for _, name := range names {
		request, err := message(unix.NFNL_SUBSYS_ACCT, 0, mdl.Acknowledge|mdl.Create, unix.AF_UNSPEC, text(counterAttrName, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Execute(request); errors.Is(err, unix.EINVAL) {
			t.Skip("this kernel has no nfacct:", err)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	filter := m.table(nftables.TableFamilyIPv4, "filter")
	forward := m.base(filter, "FORWARD", nftables.ChainHookForward, nftables.ChainPolicyAccept)
	info := xt.Unknown(make([]byte, 40)) // struct xt_nfacct_match_info: a name, and room for a pointer
	copy(info, names[0])
	m.AddRule(&nftables.Rule{Table: filter, Chain: m.chain(filter, "KUBE-FORWARD"), Exprs: []expr.Any{&expr.Match{Name: "nfacct", Info: &info}}})
	m.rule(forward, "", expr.VerdictJump, "KUBE-FORWARD")
	m.flush()
	removeAll(t, false)
	if left, err := n.counters(names); err != nil || !slices.Equal(left, []string{"mine"}) {
		t.Errorf("left: %q, error %v", left, err)
	}
}

func TestWhileBusy(t *testing.T) {
	calls := 0
	if err := whileBusy(t.Context(), unix.EBUSY, func() error {
		if calls++; calls < 3 {
			return errors.Join(unix.EBUSY)
		}
		return unix.EPERM
	}); !errors.Is(err, unix.EPERM) || calls != 3 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}
