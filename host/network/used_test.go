package network

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

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

// A set that another one names can't be destroyed before that, and not at all if the other is somebody else's.
func TestSetsOfSets(t *testing.T) {
	isolate(t)
	if !loaded("ip_set") {
		t.Skip("this kernel has no IP sets")
	}
	c, err := mdl.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n := &netfilter{c}
	put := func(list, set string) {
		t.Helper()
		name, err := mdl.MarshalAttributes([]mdl.Attribute{text(18, set)}) // IPSET_ATTR_NAME
		if err != nil {
			t.Fatal(err)
		}
		m, err := message(unix.NFNL_SUBSYS_IPSET, 9, mdl.Acknowledge, unix.AF_UNSPEC, // IPSET_CMD_ADD
			mdl.Attribute{Type: setAttrProtocol, Data: []byte{setProtocol}}, text(setAttrName, list), mdl.Attribute{Type: 7 | mdl.Nested, Data: name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Execute(m); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []string{"KUBE-1", "KUBE-2"} {
		if err := netlink.IpsetCreate(s, "hash:ip", netlink.IpsetCreateOptions{Family: unix.AF_INET}); err != nil {
			t.Fatal(s, err)
		}
	}
	for list, set := range map[string]string{"KUBE-0": "KUBE-1", "KUBE-9": "KUBE-1", "mine": "KUBE-2"} {
		if err := netlink.IpsetCreate(list, "list:set", netlink.IpsetCreateOptions{}); err != nil {
			t.Fatal(list, err)
		}
		put(list, set)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err = setsPart("", kubeSets).Remove(ctx)
	if err == nil || !strings.HasPrefix(err.Error(), "cannot destroy the IP set KUBE-2: a rule, or another set, names it") {
		t.Errorf("error %v", err)
	}
	if left, err := n.sets([]string{"KUBE-", "mine"}); err != nil || len(left) != 2 {
		t.Errorf("left: %q, error %v", left, err)
	}
	if err := netlink.IpsetDestroy("mine"); err != nil {
		t.Fatal(err)
	}
	removeAll(t, false)
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

func TestWhileBusyUntilTimeIsOver(t *testing.T) {
	calls := 0
	err := whileBusy(t.Context(), unix.EBUSY, func() error {
		if calls++; calls == 1 {
			return unix.EBUSY
		}
		return os.ErrDeadlineExceeded // of a connection that ends with the context
	})
	if !errors.Is(err, unix.EBUSY) || calls != 2 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}
