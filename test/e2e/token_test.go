package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/test/bed"
)

// checkTokens makes, lists and deletes tokens by either tool and looks at them with the other one.
func checkTokens(t *testing.T, m *bed.Machine) {
	const ours = "aaaaaa.0123456789abcdef"
	if got := m.MustRun(t, "kubewright", "token", "create", ours, "--ttl", "1h", "--description", "ours"); strings.TrimSpace(got) != ours {
		t.Errorf("token create: %q", got)
	}
	theirs := strings.TrimSpace(m.MustRun(t, "kubeadm", "token", "create", "--ttl", "2h"))
	for _, tool := range []string{"kubewright", "kubeadm"} {
		list := m.MustRun(t, tool, "token", "list")
		for _, want := range []string{ours, theirs, "59m", "authentication,signing", "ours"} {
			if !strings.Contains(list, want) {
				t.Errorf("%s token list lacks %s:\n%s", tool, want, list)
			}
		}
	}
	found := map[string][]string{}
	for _, tool := range []string{"kubewright", "kubeadm"} {
		dec := json.NewDecoder(strings.NewReader(m.MustRun(t, tool, "token", "list", "-o", "json")))
		for dec.More() {
			var token struct{ APIVersion, Kind, Token, Expires string }
			if err := dec.Decode(&token); err != nil {
				t.Fatal(err)
			}
			found[tool] = append(found[tool], token.APIVersion+token.Kind+token.Token+token.Expires)
		}
	}
	if len(found["kubeadm"]) < 3 || strings.Join(found["kubeadm"], " ") != strings.Join(found["kubewright"], " ") {
		t.Errorf("the tools list different tokens:\n%v", found)
	}
	if r := run(m, "kubewright", "token", "create", ours); r.code == 0 || !strings.Contains(r.err, "token delete aaaaaa") || strings.Contains(r.err, "0123456789abcdef") {
		t.Errorf("a token that is there: %+v", r)
	}
	if r := run(m, "kubewright", "token", "delete", theirs, "--dry-run"); r.code != 0 || !strings.Contains(r.out, "would be deleted") {
		t.Errorf("a dry run of delete: %+v", r)
	}
	m.MustRun(t, "kubewright", "token", "delete", theirs[:6])
	m.MustRun(t, "kubeadm", "token", "delete", ours)
	for _, tool := range []string{"kubewright", "kubeadm"} {
		if list := m.MustRun(t, tool, "token", "list"); strings.Contains(list, ours) || strings.Contains(list, theirs) {
			t.Errorf("%s still lists what was deleted:\n%s", tool, list)
		}
	}
	if r := run(m, "kubewright", "token", "delete", "aaaaaa"); r.code == 0 || !strings.Contains(r.err, "kubewright token list") {
		t.Errorf("a token that is gone: %+v", r)
	}
}
