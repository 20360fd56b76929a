package cmd

import (
	"strings"
	"testing"

	"github.com/kubewright/kubewright/cause"
)

// TestTakesRoot: whole commands that change the machine take root, whatever checks are ignored, and one of them runs at a time. A
// single phase writes where its user may write.
func TestTakesRoot(t *testing.T) {
	m, initArgs := newUnborn(t) // its configuration ignores all checks
	before := m.tree()
	m.notRoot = true
	commands := [][]string{initArgs, newCluster(t).joins(), {"reset", "--force"}, {"rollback", "--force"}, {"certs", "renew", "all"}}
	for _, args := range commands {
		if code, _, stderr := m.run(args...); code != cause.Preflight.Exit() || !strings.Contains(stderr, "it changes the machine, which takes root") {
			t.Errorf("%v: exit code %d\n%s", args, code, stderr)
		}
		m.same(before)
	}
	joined(t, m, "init", "phase", "certs", "ca", "--config", initArgs[2])

	m.notRoot = false
	before = m.tree()
	unlock, err := m.host.Lock(t.Context(), "another")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for _, args := range commands {
		if code, _, stderr := m.run(args...); code != cause.Busy.Exit() || !strings.Contains(stderr, "another") {
			t.Errorf("%v beside another run: exit code %d\n%s", args, code, stderr)
		}
		m.same(before)
	}
}
