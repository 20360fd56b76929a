package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
)

// attempt describes a container: when it started, how long it lived (0: it runs), its exit code and its log.
type attempt struct {
	component string
	number    uint32
	start     time.Duration
	lived     time.Duration
	code      int32
	log       string
}

func machine(attempts ...attempt) *hosttest.Runtime {
	rt := &hosttest.Runtime{}
	var all []host.Container
	for _, a := range attempts {
		c := host.Container{
			ID: fmt.Sprintf("%s-%d", a.component, a.number), Name: a.component, PodName: a.component + "-cp1",
			Namespace: "kube-system", Attempt: a.number, ExitCode: a.code, Running: a.lived == 0,
			StartedAt: int64(time.Hour + a.start),
		}
		if a.lived > 0 {
			c.FinishedAt, c.Reason = c.StartedAt+int64(a.lived), "Error"
		}
		all = append(all, c)
		rt.SetLogs(c.ID, strings.Split(a.log, "\n")...)
	}
	rt.SetContainers(all...)
	return rt
}

func TestDiagnose(t *testing.T) {
	const (
		flag    = "I1124 02:40:44.1  1 x.go:1] start\nError: odd thing: --foo\nusage follows"
		noEtcd  = "F1124 02:41:44.1  1 run.go:72] dial tcp 127.0.0.1:2379: connect: connection refused"
		noAPI   = "E1124 02:41:44.1  1 run.go:72] \"command failed\" err=\"dial tcp 10.0.0.5:6443: connect: connection refused\""
		corrupt = `{"level":"fatal","ts":"2026-01-01","msg":"odd data"}`
	)
	s := time.Second
	for name, test := range map[string]struct {
		component string
		attempts  []attempt
		fatal     bool
		summary   string
	}{
		"nothing": {apiServer, []attempt{{localEtcd, 0, 0, 0, 0, ""}}, false, "no container yet"},
		"running": {apiServer, []attempt{{apiServer, 0, 0, 0, 0, "x"}}, false, "is running since 01:00:00 UTC"},
		"running again": {apiServer, []attempt{{apiServer, 2, 9 * s, 0, 0, "x"}, {apiServer, 1, 0, s, 1, flag}}, false,
			"(it exited 2 times before)"},
		"one exit":    {apiServer, []attempt{{apiServer, 0, 0, s, 1, flag}}, false, "exited once, the last time with exit code 1: Error: odd thing: --foo"},
		"loop":        {apiServer, []attempt{{apiServer, 2, 9 * s, s, 1, flag}, {apiServer, 1, 0, s, 1, flag}}, true, "exited 3 times"},
		"other order": {apiServer, []attempt{{apiServer, 1, 0, s, 1, flag}, {apiServer, 2, 9 * s, s, 1, flag}}, true, "exited 3 times"},
		"two codes":   {apiServer, []attempt{{apiServer, 2, 9 * s, s, 1, flag}, {apiServer, 1, 0, s, 2, flag}}, false, "exited 3 times"},
		"two ends":    {apiServer, []attempt{{apiServer, 2, 9 * s, s, 1, flag}, {apiServer, 1, 0, s, 1, "panic: other"}}, false, "odd thing"},
		"long lives":  {apiServer, []attempt{{apiServer, 4, 9 * s, 4 * time.Minute, 1, flag}}, false, "exited 5 times"},
		"start error": {apiServer, []attempt{{apiServer, 4, -time.Hour, s, 128, flag}, {apiServer, 3, -time.Hour, s, 128, flag}}, true, "exited 5 times"},
		"etcd is starting": {apiServer, []attempt{{apiServer, 7, 9 * s, s, 1, noEtcd}, {localEtcd, 0, 0, 0, 0, "x"}}, false,
			"it waits for etcd (etcd is running"},
		"etcd loops": {apiServer, []attempt{{apiServer, 7, 9 * s, s, 1, noEtcd}, {localEtcd, 3, 0, s, 1, corrupt}}, true,
			"kube-apiserver can't work without etcd: etcd exited 4 times"},
		"etcd runs but can't be reached": {apiServer, []attempt{{apiServer, 7, 6 * time.Minute, s, 1, noEtcd},
			{localEtcd, 0, 0, 0, 0, "x"}}, true, "it can't reach etcd (etcd is running"},
		"etcd never came": {apiServer, []attempt{{apiServer, 4, 9 * s, s, 1, noEtcd}}, true, "exited 5 times"},
		"etcd may come":   {apiServer, []attempt{{apiServer, 3, 9 * s, s, 1, noEtcd}}, false, "it waits for etcd"},
		"etcd's own":      {localEtcd, []attempt{{localEtcd, 3, 0, s, 1, "connection refused"}}, true, "etcd exited 4 times"},
		"two steps down": {scheduler, []attempt{{scheduler, 4, 9 * s, s, 1, noAPI}, {apiServer, 7, 9 * s, s, 1, noEtcd},
			{localEtcd, 3, 0, s, 1, corrupt}}, true, "kube-scheduler can't work without kube-apiserver: kube-apiserver can't work"},
		"same name elsewhere": {localEtcd, []attempt{{"etcd-backup", 3, 0, s, 1, flag}}, false, "no container yet"},
	} {
		t.Run(name, func(t *testing.T) {
			v := diagnoseOnce(t.Context(), machine(test.attempts...), test.component)
			if v.Fatal != test.fatal || !strings.Contains(v.Summary, test.summary) {
				t.Errorf("fatal %v: %s", v.Fatal, v.Summary)
			}
		})
	}
}

func TestDiagnoseProgress(t *testing.T) {
	seen := func(a ...attempt) string {
		v := diagnoseOnce(context.Background(), machine(a...), apiServer)
		return strings.Join(append(v.Progress, v.Signs...), ";")
	}
	base := seen(attempt{apiServer, 0, 0, 0, 0, "W 10:00:01 port 123 closed"})
	for _, same := range []string{"W 10:00:02 port 456 closed", "W 10:00:02 port 456 closed\nW 10:00:03 port 1 closed"} {
		if again := seen(attempt{apiServer, 0, 0, 0, 0, same}); again != base {
			t.Errorf("the same message again is progress: %q, %q", base, again)
		}
	}
	for name, other := range map[string]string{
		"nothing":     seen(),
		"new message": seen(attempt{apiServer, 0, 0, 0, 0, "serving"}),
		"exited":      seen(attempt{apiServer, 0, 0, 1, 1, "W 10:00:01 port 123 closed"}),
		"new attempt": seen(attempt{apiServer, 1, 5, 0, 0, "W 10:00:01 port 123 closed"}),
	} {
		if other == base || other == "" {
			t.Errorf("%s is no progress: %q", name, other)
		}
	}
}

// A component that starts again and again makes progress the first few times only.
func TestDiagnoseRepetition(t *testing.T) {
	h, seen, news := NewHistory(time.Time{}), map[string]bool{}, 0
	for n := range uint32(20) {
		rt := machine(attempt{apiServer, n, time.Duration(n) * time.Minute, time.Second, 1, strings.Repeat("x", int(n))})
		for _, p := range h.Look(t.Context(), Sight{Runtime: rt, Changed: unchanged}, apiServer)[0].Progress {
			if !seen[p] {
				seen[p] = true
				news++
			}
		}
	}
	if want := 3 * earlyStarts; news != want { // appeared, started, ended
		t.Errorf("%d events; want %d", news, want)
	}
}

// While the images grow, one is being pulled.
func TestDiagnosePull(t *testing.T) {
	h, rt := NewHistory(time.Time{}), machine()
	var progress [3]string
	for i, bytes := range []uint64{5, 3, 6} {
		rt.Bytes = bytes
		progress[i] = strings.Join(h.Look(t.Context(), Sight{Runtime: rt, Changed: unchanged}, apiServer)[0].Progress, ";")
	}
	if progress[0] != progress[1] || progress[1] == progress[2] {
		t.Errorf("%q", progress)
	}
}

// diagnoseOnce is one look without any history.
func diagnoseOnce(ctx context.Context, rt host.Runtime, component string) *Verdict {
	return NewHistory(time.Time{}).Look(ctx, Sight{Runtime: rt, Changed: unchanged}, component)[0]
}

func unchanged(string) time.Time { return time.Time{} }

// at is a moment on the clock of machine().
func at(d time.Duration) time.Time { return time.Unix(0, int64(time.Hour+d)) }

// TestLookBack is about ends that don't decide, because what they came from has been changed since, and about those that only a
// history knows of.
func TestLookBack(t *testing.T) {
	const (
		flag   = "Error: odd thing: --foo"
		noEtcd = "F1124 02:41:44.1  1 run.go:72] dial tcp 127.0.0.1:2379: connect: connection refused"
	)
	s, m := time.Second, time.Minute
	loop := []attempt{{apiServer, 7, 0, s, 1, flag}, {apiServer, 6, -m, s, 1, flag}}
	waits := []attempt{{apiServer, 9, 0, s, 1, noEtcd}, {localEtcd, 8, 0, s, 1, flag}}
	// kills are looks at an API server whose attempts were ended one after the other, with the same last words.
	kills := func(n int, log string, others ...attempt) (looks [][]attempt) {
		for i := range n {
			end := attempt{apiServer, uint32(i), time.Duration(5*i) * m, 4 * m, 137, log}
			looks = append(looks, append([]attempt{end}, others...))
		}
		return looks
	}
	for name, test := range map[string]struct {
		began   time.Duration
		changed map[string]time.Duration
		looks   [][]attempt
		fatal   bool
		summary string
	}{
		"as ever":          {-m, nil, [][]attempt{loop}, true, "exited 8 times"},
		"manifest changed": {-m, map[string]time.Duration{apiServer: m}, [][]attempt{loop}, false, "the kubelet has not started the new one yet"},
		"manifest changed, started": {-m, map[string]time.Duration{apiServer: m},
			[][]attempt{append([]attempt{{apiServer, 0, 2 * m, 0, 0, ""}}, loop...)}, false, "is running since 01:02:00 UTC but not healthy yet"},
		"manifest changed, ended once": {-m, map[string]time.Duration{apiServer: m},
			[][]attempt{append([]attempt{{apiServer, 8, 2 * m, s, 1, flag}}, loop...)}, false, "odd thing"},
		"manifest changed, ended again and again": {-m, map[string]time.Duration{apiServer: m},
			[][]attempt{loop, {{apiServer, 8, 2 * m, s, 1, flag}}, {{apiServer, 9, 3 * m, s, 1, flag}}, {{apiServer, 10, 4 * m, s, 1, flag}}},
			true, "odd thing"},
		"nothing ended in this run": {m, nil, [][]attempt{loop}, false, "exited 8 times"},
		"etcd's manifest changed":   {-m, map[string]time.Duration{localEtcd: m}, [][]attempt{waits}, false, "exited 10 times"},
		"etcd's manifest changed, and the API server ended once more": {-m, map[string]time.Duration{localEtcd: m},
			[][]attempt{append([]attempt{{apiServer, 10, 2 * m, s, 1, noEtcd}}, waits...)}, false, "exited 11 times"},
		"killed once":       {-m, nil, [][]attempt{{{apiServer, 0, 0, 4 * m, 137, ""}}, {{apiServer, 1, 5 * m, 0, 0, ""}}}, false, "is running"},
		"killed five times": {-m, nil, kills(5, ""), false, "exited 5 times"},
		"killed six times":  {-m, nil, kills(6, ""), true, "never became healthy: it was ended 6 times, the last time after 4m0s with exit code 137"},
		"killed six times, and runs again": {-m, nil, append(kills(5, ""), []attempt{{apiServer, 6, 30 * m, 0, 0, ""}, {apiServer, 5, 25 * m, 4 * m, 0, ""}}),
			true, "it was ended 6 times"},
		"killed six times while it waited for etcd": {-m, nil, kills(6, noEtcd, attempt{localEtcd, 0, 29 * m, 0, 0, ""}), false, "it waits for etcd"},
		"killed before and after the manifest changed": {-m, map[string]time.Duration{apiServer: 3 * m},
			[][]attempt{{{apiServer, 0, 0, 4 * m, 137, ""}}, {{apiServer, 1, 5 * m, 4 * m, 137, ""}}}, false, "exited 2 times"},
		"ended twice by itself after long": {-m, nil, [][]attempt{{{apiServer, 0, 0, 4 * m, 1, ""}}, {{apiServer, 1, 5 * m, 4 * m, 1, ""}}}, false, "exited 2 times"},
	} {
		t.Run(name, func(t *testing.T) {
			h := NewHistory(at(test.began))
			changed := func(component string) time.Time {
				if d, ok := test.changed[component]; ok {
					return at(d)
				}
				return time.Time{}
			}
			var v *Verdict
			for i, look := range test.looks {
				if v = h.Look(t.Context(), Sight{Runtime: machine(look...), Changed: changed}, apiServer)[0]; v.Fatal && i < len(test.looks)-1 {
					t.Errorf("fatal at look %d: %s", i, v.Summary)
				}
			}
			if v.Fatal != test.fatal || !strings.Contains(v.Summary, test.summary) {
				t.Errorf("fatal %v: %s", v.Fatal, v.Summary)
			}
		})
	}
}

// TestLostLease: the controller manager and the scheduler end when a slow API server costs them their lease.
func TestLostLease(t *testing.T) {
	for _, line := range []string{
		`E1124 02:41:44.1  1 controllermanager.go:413] "leaderelection lost/stopped"`,
		`E1124 02:41:44.1  1 server.go:337] "Leaderelection lost"`,
		`E1124 02:41:44.1  1 run.go:72] "command failed" err="lost lease"`,
	} {
		rt := machine(attempt{scheduler, 3, 9 * time.Second, 30 * time.Second, 1, line}, attempt{apiServer, 0, 0, 0, 0, "slow"})
		if v := diagnoseOnce(t.Context(), rt, scheduler); v.Fatal || !strings.Contains(v.Summary, "it waits for kube-apiserver") {
			t.Errorf("%s: fatal %v: %s", line, v.Fatal, v.Summary)
		}
	}
}

func TestDiagnoseWithoutRuntime(t *testing.T) {
	v := diagnoseOnce(t.Context(), &hosttest.Runtime{Err: errors.New("no socket")}, apiServer)
	if v.Fatal || !strings.Contains(v.Summary, "no socket") {
		t.Errorf("%+v", v)
	}
}

func TestFailingLine(t *testing.T) {
	for name, test := range map[string]struct{ log, want string }{
		"empty": {"", ""},
		"klog": {"E1124 02:58:12.531481   22747 run.go:72] \"command failed\" err=\"a [b] c\"\nI1124 02:58:12.6  1 x.go:1] bye",
			`"command failed" err="a [b] c"`},
		"etcd": {`{"level":"fatal","ts":"x","caller":"c","msg":"listener failed","error":"open /a: no such file","stacktrace":"y"}`,
			"listener failed: open /a: no such file"},
		"etcd flag": {"flag provided but not defined: -foo\nUsage:\n\n  etcd [flags]", "flag provided but not defined: -foo"},
		"panic":     {"panic: oh\n\ngoroutine 1 [running]:\nmain.main()", "panic: oh"},
		"plain":     {"one\ntwo\n\n", "two"},
		"long":      {strings.Repeat("x", 1000), strings.Repeat("x", longestLine) + "..."},
	} {
		if got := brief(failingLine(strings.Split(test.log, "\n"))); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
