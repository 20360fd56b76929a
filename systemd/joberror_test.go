package systemd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJobErrorText(t *testing.T) {
	for _, c := range []struct {
		err  JobError
		want string
	}{
		{JobError{Unit: "kubelet.service", Verb: "restart", Result: "failed",
			State:   Unit{LoadState: "loaded", ActiveState: "failed", SubState: "failed", Result: "exit-code", ExecMainStatus: 1, NRestarts: 5},
			Journal: []string{"first", "second"}},
			"cannot restart kubelet.service: job failed: unit is failed (exit-code, status 1, 5 restarts)\n" +
				"last lines of its journal:\n  first\n  second"},
		{JobError{Unit: "kubelet.service", Verb: "start", Result: "still waiting",
			State:     Unit{LoadState: "loaded", ActiveState: "inactive", SubState: "dead", Result: "success"},
			BlockedBy: []string{"network-online.target", "x.service"}},
			"cannot start kubelet.service: job is still waiting: unit is inactive (dead)\n" +
				"its job waits for the jobs of: network-online.target, x.service\n" +
				"find out what they wait for with: systemctl list-jobs --after"},
		{JobError{Unit: "a.service", Verb: "start", Result: "dependency", State: Unit{NRestarts: 1, ActiveState: "activating", SubState: "auto-restart"}},
			"cannot start a.service: job failed because a unit that it requires failed: unit is activating (auto-restart, 1 restart)"},
		{JobError{Unit: "a.service", Verb: "stop", Result: "timeout"}, "cannot stop a.service: job timed out: unit is in an unknown state"},
		{JobError{Unit: "a.service", Verb: "start", Result: "failed", State: Unit{LoadState: "masked", ActiveState: "inactive"}},
			"cannot start a.service: job failed: unit is inactive (masked)\nit is masked; run: systemctl unmask a.service"},
	} {
		if d := cmp.Diff(c.want, c.err.Error()); d != "" {
			t.Error(d)
		}
	}
}
