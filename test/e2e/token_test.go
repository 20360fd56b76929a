package e2e

import (
	"strings"
	"testing"

	"github.com/kubewright/kubewright/test/bed"
)

// checkTokens makes, lists and deletes tokens by either tool and looks at them with the other one.
func checkTokens(t *testing.T, m *bed.Machine) {
	const ours, finder = "aaaaaa.0123456789abcdef", "bbbbbb.0123456789abcdef"
	if got := m.MustRun(t, "kubewright", "token", "create", ours, "--ttl", "1h", "--description", "ours"); strings.TrimSpace(got) != ours {
		t.Errorf("token create: %q", got)
	}
	signed := signature(t, m, ours[:6])
	m.MustRun(t, "kubewright", "token", "create", finder, "--usages", "signing", "--ttl", "0")
	theirs := strings.TrimSpace(m.MustRun(t, "kubeadm", "token", "create", "--ttl", "2h", "--groups", "system:bootstrappers:b,system:bootstrappers:a"))
	for _, tool := range []string{"kubewright", "kubeadm"} {
		list := strings.Join(strings.Fields(m.MustRun(t, tool, "token", "list")), " ")
		for _, want := range []string{"TOKEN TTL EXPIRES USAGES DESCRIPTION EXTRA GROUPS", ours + " 59m ", " authentication,signing ours ",
			finder + " <forever> <never> signing <none> <none>", theirs, "system:bootstrappers:b,system:bootstrappers:a"} {
			if !strings.Contains(list, want) {
				t.Errorf("%s token list lacks %s:\n%s", tool, want, list)
			}
		}
	}
	for _, form := range []string{"json", "yaml"} {
		own, other := m.MustRun(t, "kubewright", "token", "list", "-o", form), m.MustRun(t, "kubeadm", "token", "list", "-o", form)
		if own != other || !strings.Contains(own, ours) {
			t.Errorf("the tools list different tokens as %s:\n%s\n%s", form, own, other)
		}
	}
	sameCommand(t, m, "cccccc.0123456789abcdef")
	sameCommand(t, m, "dddddd.0123456789abcdef", "--certificate-key", strings.Repeat("0123456789abcdef", 4))
	tokenMistakes(t, m, ours)
	if later := signature(t, m, ours[:6]); later != signed || signed == "" {
		t.Errorf("cluster-info was signed with %q right after the token was made, and with %q when the signer had seen it", signed, later)
	}
	m.MustRun(t, "kubewright", "token", "delete", theirs[:6])
	m.MustRun(t, "kubeadm", "token", "delete", ours, finder)
	for _, tool := range []string{"kubewright", "kubeadm"} {
		list := m.MustRun(t, tool, "token", "list")
		for _, gone := range []string{ours, finder, theirs} {
			if strings.Contains(list, gone) {
				t.Errorf("%s still lists what was deleted:\n%s", tool, list)
			}
		}
	}
}

// signature is the one in cluster-info by which a join with the token knows the cluster.
func signature(t *testing.T, m *bed.Machine, tokenID string) string {
	t.Helper()
	out, ok := kubectl(m, "-n", "kube-public", "get", "configmap", "cluster-info", "-o", "jsonpath={.data.jws-kubeconfig-"+tokenID+"}")
	if !ok {
		t.Errorf("cluster-info: %s", out)
	}
	return out
}

// sameCommand has both tools print the join command of a token, which neither leaves behind.
func sameCommand(t *testing.T, m *bed.Machine, token string, args ...string) {
	t.Helper()
	var printed []string
	for _, tool := range []string{"kubewright", "kubeadm"} {
		words := strings.Fields(m.MustRun(t, append([]string{tool, "token", "create", token, "--print-join-command"}, args...)...))
		if len(words) < 7 || words[0] != tool {
			t.Fatalf("%s token create: %q", tool, words)
		}
		printed = append(printed, strings.Join(words[1:], " "))
		m.MustRun(t, tool, "token", "delete", token)
	}
	if printed[0] != printed[1] {
		t.Errorf("different join commands:\n%s\n%s", printed[0], printed[1])
	}
}

// tokenMistakes are those that only a cluster can tell, and dry runs, which tell the same and change nothing.
func tokenMistakes(t *testing.T, m *bed.Machine, there string) {
	t.Helper()
	before := m.MustRun(t, "kubeadm", "token", "list", "-o", "json")
	for _, dry := range [][]string{nil, {"--dry-run"}} {
		r := run(m, append([]string{"kubewright", "token", "create", there}, dry...)...)
		if r.code == 0 || !strings.Contains(r.err, "token delete "+there[:6]) || strings.Contains(r.err, there[7:]) {
			t.Errorf("a token that is there: %+v", r)
		}
		r = run(m, append([]string{"kubewright", "token", "delete", "zzzzzz." + there[7:]}, dry...)...)
		if r.code == 0 || !strings.Contains(r.err, "kubewright token list") || strings.Contains(r.err, there[7:]) {
			t.Errorf("a token that is not there: %+v", r)
		}
	}
	if r := run(m, "kubewright", "token", "delete", there, "--dry-run"); r.code != 0 || !strings.Contains(r.out, "would be deleted") {
		t.Errorf("a dry run of delete: %+v", r)
	}
	if r := run(m, "kubewright", "token", "create", "eeeeee."+there[7:], "--dry-run"); r.code != 0 || !strings.Contains(r.err, "no token was created") {
		t.Errorf("a dry run of create: %+v", r)
	}
	if after := m.MustRun(t, "kubeadm", "token", "list", "-o", "json"); after != before {
		t.Errorf("mistakes or dry runs changed tokens:\n%s\n%s", before, after)
	}
}
