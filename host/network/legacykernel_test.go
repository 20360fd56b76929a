package network

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// legacyLaid is one table, with what others have in it. Lines that begin with "our" are to go.
const legacyLaid = `*filter
:INPUT DROP [5:500]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [6:600]
our:KUBE-FIREWALL - [0:0]
:MINE - [0:0]
[1:11] -A INPUT -i lo -j ACCEPT
our[3:33] -A INPUT -j KUBE-FIREWALL
[2:22] -A INPUT -s 192.0.2.9/32 -j MINE
our[0:0] -A INPUT -j KUBE-FIREWALL
our[4:44] -A KUBE-FIREWALL -d 127.0.0.0/8 -j DROP
our[7:77] -A MINE -s 192.0.2.8/32 -g KUBE-FIREWALL
[8:88] -A MINE -s 192.0.2.8/32 -j DROP
COMMIT
`

// Only a kernel knows what iptables' programs really do with what is not named to them.
func TestLegacyOnKernel(t *testing.T) {
	isolate(t)
	if _, err := exec.LookPath("iptables-legacy-restore"); err != nil {
		t.Skip(err)
	}
	if _, err := output(t.Context(), strings.ReplaceAll(legacyLaid, "our", ""), "iptables-legacy-restore", "--counters"); err != nil {
		t.Skip("this kernel has no legacy tables:", err)
	}
	removeAll(t, false)
	out, err := output(t.Context(), "", "iptables-legacy-save", "--counters")
	if err != nil {
		t.Fatal(err)
	}
	kept := func(text, not string) []string {
		return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.HasPrefix(line, not) })
	}
	if diff := cmp.Diff(kept(legacyLaid, "our"), kept(out, "#")); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}
