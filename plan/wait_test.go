package plan_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/plan"
)

var errDown = errors.New("connection refused")

func down(context.Context, *plan.Target) error { return errDown }

func TestWaitGivesUpWithoutProgress(t *testing.T) {
	w := plan.Wait{For: "it answers", Stall: 150 * time.Millisecond, Probe: down}
	err := w.Apply(context.Background(), newTarget(t))
	if !errors.Is(err, errDown) || !strings.Contains(err.Error(), "nothing has moved for 150ms") {
		t.Fatalf("Apply: %v", err)
	}
}

func TestWaitGoesOnWhileSomethingMoves(t *testing.T) {
	looks, begin := 0, time.Now()
	w := plan.Wait{
		For: "it answers", Stall: 1100 * time.Millisecond,
		Probe: func(context.Context, *plan.Target) error {
			if time.Since(begin) > 2300*time.Millisecond {
				return nil
			}
			return errDown
		},
		Watch: func(context.Context, *plan.Target) plan.Watched {
			looks++
			return plan.Watched{Progress: strconv.Itoa(looks)}
		},
	}
	if err := w.Apply(context.Background(), newTarget(t)); err != nil {
		t.Fatalf("gave up although something moved: %v", err)
	}
}

func TestWaitEndsWhenHopeless(t *testing.T) {
	var told []string
	tg := newTarget(t)
	tg.Progress = func(s string) { told = append(told, s) }
	w := plan.Wait{For: "it answers", Probe: down, Watch: func(context.Context, *plan.Target) plan.Watched {
		return plan.Watched{Status: "restarted 5 times", Hopeless: errors.New("flag provided but not defined: -x")}
	}}
	err := w.Apply(context.Background(), tg)
	if err == nil || err.Error() != "cannot wait until it answers: flag provided but not defined: -x" {
		t.Fatalf("Apply: %v", err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	err := plan.Wait{For: "it answers", Probe: down}.Apply(ctx, newTarget(t))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "last: connection refused") {
		t.Fatalf("Apply: %v", err)
	}
}

func TestWaitOfAnotherMachineAsksNobody(t *testing.T) {
	w := plan.Wait{For: "a component", Probe: func(context.Context, *plan.Target) error {
		t.Error("probed")
		return nil
	}}
	if c, err := w.Diff(context.Background(), &plan.Target{Elsewhere: true}); err != nil || c.Kind != plan.Run {
		t.Errorf("%v %v", c, err)
	}
}

func TestWaitForTheClusterWithoutOne(t *testing.T) {
	w := plan.Wait{For: "a node", NeedsAPI: true, Probe: func(context.Context, *plan.Target) error {
		t.Error("probed although there is nothing to ask")
		return nil
	}}
	if c, err := w.Diff(context.Background(), &plan.Target{}); err != nil || c.Kind != plan.Unknown {
		t.Errorf("%v %v", c, err)
	}
	if err := w.Apply(context.Background(), &plan.Target{}); err == nil {
		t.Error("no error")
	}
}

func TestWaitingIsNoChange(t *testing.T) {
	probes := 0
	p := plan.Plan{Sections: []plan.Section{{Phase: "wait", Steps: []plan.Step{plan.Wait{
		For: "a component", Probe: func(context.Context, *plan.Target) error {
			if probes++; probes < 3 {
				return errDown
			}
			return nil
		},
	}}}}}
	if changes, err := (&plan.Runner{Target: &plan.Target{}}).Run(context.Background(), p); err != nil || changes != 0 || probes < 3 {
		t.Errorf("%d changes, %d probes, %v", changes, probes, err)
	}
}

// TestWaitExplains: the error says what the probe said and what was seen behind it.
func TestWaitExplains(t *testing.T) {
	w := plan.Wait{
		For: "it answers", Stall: 200 * time.Millisecond, Probe: down,
		Watch: func(context.Context, *plan.Target) plan.Watched {
			return plan.Watched{Status: "it runs", Progress: "same", Detail: "\n  | its last words"}
		},
	}
	err := w.Apply(context.Background(), newTarget(t))
	want := "cannot wait until it answers: nothing has moved for 200ms: connection refused\nit runs\n  | its last words"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// TestWaitNoticesDuringASlowLook: what is behind the probe may answer slowly; the probe is asked nevertheless.
func TestWaitNoticesDuringASlowLook(t *testing.T) {
	begin := time.Now()
	w := plan.Wait{
		For: "it answers",
		Probe: func(context.Context, *plan.Target) error {
			if time.Since(begin) > 300*time.Millisecond {
				return nil
			}
			return errDown
		},
		Watch: func(ctx context.Context, _ *plan.Target) plan.Watched {
			<-ctx.Done() // until the wait is over
			return plan.Watched{}
		},
	}
	if err := w.Apply(context.Background(), newTarget(t)); err != nil || time.Since(begin) > 2*time.Second {
		t.Errorf("after %s: %v", time.Since(begin), err)
	}
}

// TestWaitIsTold: with an Await nobody is probed, also not by the run before it applies the wait; one that fails is tried again.
func TestWaitIsTold(t *testing.T) {
	asked, begin := 0, time.Now()
	news := make(chan struct{})
	time.AfterFunc(300*time.Millisecond, func() { close(news) })
	p := plan.Plan{Sections: []plan.Section{{Phase: "wait", Steps: []plan.Step{plan.Wait{
		For: "the node is there", Probe: func(context.Context, *plan.Target) error { t.Error("probed"); return nil },
		Await: func(ctx context.Context, _ *plan.Target) error {
			if asked++; asked == 1 {
				return errDown
			}
			select {
			case <-news:
			case <-ctx.Done():
			}
			return ctx.Err()
		},
	}}}}}
	changes, err := (&plan.Runner{Target: newTarget(t)}).Run(context.Background(), p)
	if err != nil || changes != 0 || asked != 2 || time.Since(begin) < 500*time.Millisecond {
		t.Errorf("%d changes, asked %d times in %s: %v", changes, asked, time.Since(begin), err)
	}
}

// TestWaitIsNotProbedAgain: a good answer is enough; a second one that fails does not end the run.
func TestWaitIsNotProbedAgain(t *testing.T) {
	probes := 0
	p := plan.Plan{Sections: []plan.Section{{Phase: "wait", Steps: []plan.Step{plan.Wait{
		For: "a component", Probe: func(context.Context, *plan.Target) error {
			if probes++; probes != 2 {
				return errDown
			}
			return nil
		},
	}}}}}
	if _, err := (&plan.Runner{Target: &plan.Target{}}).Run(context.Background(), p); err != nil {
		t.Error(err)
	}
}
