package bench

import (
	"strings"
	"testing"
)

// The counts decide, the times do not.
func TestProblems(t *testing.T) {
	five, six := make([]Request, 5), make([]Request, 6)
	for name, tc := range map[string]struct {
		report JoinReport
		want   string
	}{
		"good":    {JoinReport{Workers: []Worker{{"kubewright", 99, five}, {"kubeadm", 1, six}}, Rounds: []Round{{Nodes: 2}}}, ""},
		"equal":   {JoinReport{Workers: []Worker{{"kubewright", 1, six}, {"kubeadm", 1, six}}}, "made 6 requests for a worker, kubeadm 6"},
		"nothing": {JoinReport{Workers: []Worker{{"kubewright", 1, nil}, {"kubeadm", 1, six}}}, "made 0 requests"},
		"failed": {JoinReport{Workers: []Worker{{"kubewright", 1, five}, {"kubeadm", 1, six}}, Rounds: []Round{{Nodes: 9, Failures: []string{"x"}}}},
			"1 of 9 joins"},
	} {
		problems := strings.Join(tc.report.Problems(), "\n")
		if tc.want == "" && problems != "" || !strings.Contains(problems, tc.want) {
			t.Errorf("%s: %q; want %q", name, problems, tc.want)
		}
	}
}
