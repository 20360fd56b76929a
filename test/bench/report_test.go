package bench

import (
	"strings"
	"testing"
)

// The counts decide, the times do not.
func TestProblems(t *testing.T) {
	joins := func(ours, theirs, ourPlane, theirPlane int) []Machine {
		return []Machine{
			{"kubewright", Worker, 99, make([]Request, ours)}, {"kubeadm", Worker, 1, make([]Request, theirs)},
			{"kubewright", ControlPlane, 99, make([]Request, ourPlane)}, {"kubeadm", ControlPlane, 1, make([]Request, theirPlane)},
		}
	}
	for name, tc := range map[string]struct {
		report JoinReport
		want   string
	}{
		"good":    {JoinReport{Machines: joins(5, 6, 10, 11), Rounds: []Round{{Nodes: 2}}}, ""},
		"equal":   {JoinReport{Machines: joins(6, 6, 10, 11)}, "made 6 requests for a worker, kubeadm 6"},
		"planes":  {JoinReport{Machines: joins(5, 6, 12, 11)}, ""},
		"nothing": {JoinReport{Machines: joins(0, 6, 10, 11)}, "made 0 requests"},
		"failed":  {JoinReport{Machines: joins(5, 6, 10, 11), Rounds: []Round{{Nodes: 9, Failures: []string{"x"}}}}, "1 of 9 joins"},
	} {
		problems := strings.Join(tc.report.Problems(), "\n")
		if tc.want == "" && problems != "" || !strings.Contains(problems, tc.want) {
			t.Errorf("%s: %q; want %q", name, problems, tc.want)
		}
	}
}
