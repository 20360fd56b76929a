package network

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables/binaryutil"
	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nltest"
	"golang.org/x/sys/unix"
)

// Whatever iptables-save prints, it is read or refused. What is to be removed is ours only: chains by their name, and rules that
// stand in the dump as they are.
func FuzzParseSaved(f *testing.F) {
	f.Add(saved)
	f.Add(strings.ReplaceAll(saved, "COMMIT", ""))
	f.Add("*\n:\n-A \"\" \"\nCOMMIT\n")
	f.Add(":KUBE-A - [0:0]\n-A A -j \\\" -g KUBE-A\nCOMMIT\nCOMMIT\n*x\nCOMMIT")
	f.Fuzz(func(t *testing.T, text string) {
		for _, o := range []owner{kubeChains, cniChains} {
			tables, err := parseSaved(text, o)
			if err != nil {
				continue
			}
			lines := strings.Split(text, "\n")
			for _, table := range tables {
				for _, c := range table.chains {
					if !o.hasChain(c) || strings.ContainsAny(c, "\n") {
						t.Errorf("chain %q is not ours", c)
					}
				}
				for _, r := range table.rules {
					if !slices.Contains(lines, "-A "+r) {
						t.Errorf("rule %q was not there", r)
					}
				}
				var out strings.Builder
				table.write(&out)
				if !strings.HasSuffix(out.String(), "COMMIT\n") {
					t.Error("no commit")
				}
			}
		}
	})
}

// Whatever the kernel answers about its rules, it is read or refused, and only rules of the table that was asked for come back.
func FuzzRules(f *testing.F) {
	attributes := func(list ...netlink.Attribute) []byte { return nltest.MustMarshalAttributes(list) }
	nested := func(typ uint16, list ...netlink.Attribute) netlink.Attribute {
		return netlink.Attribute{Type: typ | netlink.Nested, Data: attributes(list...)}
	}
	jump := nested(unix.NFTA_LIST_ELEM, text(unix.NFTA_EXPR_NAME, "immediate"), nested(unix.NFTA_EXPR_DATA,
		nested(unix.NFTA_IMMEDIATE_DATA, nested(unix.NFTA_DATA_VERDICT, text(unix.NFTA_VERDICT_CHAIN, "KUBE-SERVICES")))))
	comment := nested(unix.NFTA_LIST_ELEM, text(unix.NFTA_EXPR_NAME, "match"), nested(unix.NFTA_EXPR_DATA,
		text(unix.NFTA_MATCH_NAME, "comment"), netlink.Attribute{Type: unix.NFTA_MATCH_INFO, Data: append([]byte("cali:x"), make([]byte, 20)...)}))
	head := []byte{unix.NFPROTO_IPV4, 0, 0, 0}
	rule := append(slices.Clone(head), attributes(text(unix.NFTA_RULE_TABLE, "nat"), text(unix.NFTA_RULE_CHAIN, "PREROUTING"),
		netlink.Attribute{Type: unix.NFTA_RULE_HANDLE, Data: binaryutil.BigEndian.PutUint64(7)}, nested(unix.NFTA_RULE_EXPRESSIONS, comment, jump))...)
	f.Add(rule)
	f.Add(rule[:len(rule)-9])
	f.Add(head)
	f.Add(head[:2])
	f.Add(append(slices.Clone(head), 3, 0, 1, 0))
	f.Fuzz(func(t *testing.T, answer []byte) {
		conn := nltest.Dial(func(asked []netlink.Message) ([]netlink.Message, error) {
			if len(asked) == 0 { // of a dump, when it is at its end
				return nil, nil
			}
			return []netlink.Message{{
				Header: netlink.Header{Sequence: asked[0].Header.Sequence, PID: nltest.PID}, Data: slices.Clone(answer),
			}}, nil
		})
		defer conn.Close()
		n := &netfilter{conn}
		of := table{family: unix.NFPROTO_IPV4, name: "nat"}
		rules, err := n.rules(of)
		if err == nil && len(rules) > 0 && answer[0] != unix.NFPROTO_IPV4 {
			t.Errorf("a rule of another family: %+v", rules)
		}
		_, _ = n.chains(of)
		_, _ = n.tables(unix.NFPROTO_IPV4)
		_, _ = n.sets(kubeSets)
		_, _ = n.generation()
	})
}
