package cmd

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/plan"
)

// TestHistoryOfKilledRun: nobody knows how long the phase took in which a run was killed, or whether its last step was done.
func TestHistoryOfKilledRun(t *testing.T) {
	run := newPastRun(plan.PastRun{
		Dir: plan.RunsDir + "/1-init", Command: "init", Run: plan.Begun{Version: "v1"},
		Records: []plan.Record{{N: 1, Phase: "certs", Step: "file /a", Kind: "create"}, {N: 2, Phase: "etcd", Step: "file /b", Kind: "create"}},
		Done:    map[int]plan.Done{1: {N: 1, Seconds: 0.25}},
		Phases:  []plan.PhaseResult{{Phase: "certs", Seconds: 0.5, Changes: 1}},
	})
	took := 0.5
	want := []pastPhase{{Phase: "certs", Seconds: &took, Changes: 1}, {Phase: "etcd", Changes: 1}}
	if diff := cmp.Diff(want, run.Phases); diff != "" {
		t.Error(diff)
	}
	run.Began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	var out bytes.Buffer
	if err := (&historyFlags{}).steps(&Env{Stdout: &out}, run); err != nil {
		t.Fatal(err)
	}
	const text = `init, begun 2026-01-02 03:04:05 by kubewright v1: unfinished
certs                  0.5s
  + file /a  0.2s
etcd                   ?
  + file /b  (not known to have been done)
`
	if diff := cmp.Diff(text, out.String()); diff != "" {
		t.Error(diff)
	}
}
