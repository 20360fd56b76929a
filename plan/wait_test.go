package plan_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
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

// TestWaitPatience waits with the usual patience for what never gets well, and for what takes long.
func TestWaitPatience(t *testing.T) {
	const stall = 4 * time.Minute
	text := strconv.Itoa
	for name, c := range map[string]struct {
		watch      func(look int) plan.Watched
		ready      time.Duration // when the probe succeeds; zero: never
		from, upTo time.Duration // when the wait is over
	}{
		"it goes on and on":     {func(n int) plan.Watched { return plan.Watched{Progress: []string{text(n)}} }, time.Hour, time.Hour, time.Hour},
		"two states by turns":   {func(n int) plan.Watched { return plan.Watched{Progress: []string{text(n % 2)}} }, 0, stall, stall + 5*time.Second},
		"two messages by turns": {func(n int) plan.Watched { return plan.Watched{Signs: []string{text(n % 2)}} }, 0, stall, stall + 5*time.Second},
		"it only talks":         {func(n int) plan.Watched { return plan.Watched{Signs: []string{text(n)}} }, 0, 5 * stall, 5*stall + 5*time.Second},
		"slow start with a lot to say": {func(n int) plan.Watched { return plan.Watched{Signs: []string{text(n)}} },
			18 * time.Minute, 18 * time.Minute, 18 * time.Minute},
		"some restarts, each with a lot to say": {func(n int) plan.Watched {
			return plan.Watched{Progress: []string{text(min(n/300, 4))}, Signs: []string{text(n)}}
		}, 38 * time.Minute, 38 * time.Minute, 38 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin, looks := time.Now(), 0
				w := plan.Wait{
					For: "it answers", Stall: stall,
					Probe: func(context.Context, *plan.Target) error {
						if c.ready == 0 || time.Since(begin) < c.ready {
							return errDown
						}
						return nil
					},
					Watch: func(context.Context, *plan.Target) plan.Watched {
						looks++
						seen := c.watch(looks)
						seen.Status, seen.Log = "it runs", []string{"last words"}
						return seen
					},
				}
				err := w.Apply(t.Context(), newTarget(t))
				if took := time.Since(begin); took < c.from || took > c.upTo+time.Second {
					t.Errorf("over after %s", took)
				}
				if (err == nil) != (c.ready > 0) || err != nil && !strings.HasSuffix(err.Error(), ": connection refused\nit runs\n  | last words") {
					t.Errorf("Apply: %v", err)
				}
			})
		})
	}
}

// A wait that knows the cause and what to do says nothing else.
func TestWaitEndsWithHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := plan.Wait{For: "it answers", Probe: down, Watch: func(context.Context, *plan.Target) plan.Watched {
			return plan.Watched{Status: "s", Log: []string{"flag not defined: -x"}, Hopeless: errors.New("it does not know a flag"), Hint: "mend it"}
		}}
		const want = "cannot wait until it answers: it does not know a flag\n  | flag not defined: -x\nmend it"
		if err := w.Apply(t.Context(), newTarget(t)); err == nil || err.Error() != want {
			t.Errorf("Apply: %v", err)
		}
	})
}

func TestWaitEndsWhenHopeless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		tg := newTarget(t)
		tg.Progress = func(s string) { told = append(told, s) }
		w := plan.Wait{For: "it answers", Probe: down, Watch: func(context.Context, *plan.Target) plan.Watched {
			time.Sleep(500 * time.Millisecond) // by then the probe has answered five times
			return plan.Watched{Status: "restarted 5 times", Log: []string{"Usage:"}, Hopeless: errors.New("flag provided but not defined: -x")}
		}}
		err := w.Apply(t.Context(), tg)
		const want = "cannot wait until it answers: flag provided but not defined: -x\nthe last answer: connection refused\n  | Usage:"
		if !errors.Is(err, errDown) || err.Error() != want {
			t.Fatalf("Apply: %v", err)
		}
		if len(told) != 1 || told[0] != "connection refused" {
			t.Errorf("told %q", told)
		}
	})
}

// TestWaitAsksOthersSparingly: who asks another machine asks less and less often.
func TestWaitAsksOthersSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probes := 0
		w := plan.Wait{For: "it answers", Stall: time.Minute, Remote: true,
			Probe: func(context.Context, *plan.Target) error { probes++; return errDown }}
		if err := w.Apply(t.Context(), newTarget(t)); err == nil || probes < 25 || probes > 45 {
			t.Errorf("%d probes in a minute, %v", probes, err)
		}
	})
}

// TestWaitWithAWatchThatHangs: a runtime that does not answer keeps no wait going.
func TestWaitWithAWatchThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, looks := time.Now(), 0
		w := plan.Wait{For: "it answers", Stall: 4 * time.Minute, Probe: down, Watch: func(ctx context.Context, _ *plan.Target) plan.Watched {
			looks++
			<-ctx.Done()
			return plan.Watched{Status: "no answer"}
		}}
		if err := w.Apply(t.Context(), newTarget(t)); err == nil || time.Since(begin) > 5*time.Minute || looks > 3 {
			t.Errorf("%v after %s and %d looks", err, time.Since(begin), looks)
		}
	})
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
			return plan.Watched{Status: "it runs", Progress: []string{"same"}, Log: []string{"its last words"}}
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
