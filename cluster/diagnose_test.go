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
		flag    = "I1124 02:40:44.1  1 x.go:1] start\nError: unknown flag: --foo\nusage follows"
		noEtcd  = "F1124 02:41:44.1  1 run.go:72] dial tcp 127.0.0.1:2379: connect: connection refused"
		noAPI   = "E1124 02:41:44.1  1 run.go:72] \"command failed\" err=\"dial tcp 10.0.0.5:6443: connect: connection refused\""
		corrupt = `{"level":"fatal","ts":"2026-01-01","msg":"wal: crc mismatch"}`
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
		"one exit":    {apiServer, []attempt{{apiServer, 0, 0, s, 1, flag}}, false, "exited once, the last time with exit code 1: Error: unknown flag: --foo"},
		"loop":        {apiServer, []attempt{{apiServer, 2, 9 * s, s, 1, flag}, {apiServer, 1, 0, s, 1, flag}}, true, "exited 3 times"},
		"other order": {apiServer, []attempt{{apiServer, 1, 0, s, 1, flag}, {apiServer, 2, 9 * s, s, 1, flag}}, true, "exited 3 times"},
		"two codes":   {apiServer, []attempt{{apiServer, 2, 9 * s, s, 1, flag}, {apiServer, 1, 0, s, 2, flag}}, false, "exited 3 times"},
		"two ends":    {apiServer, []attempt{{apiServer, 2, 9 * s, s, 1, flag}, {apiServer, 1, 0, s, 1, "panic: other"}}, false, "unknown flag"},
		"long lives":  {apiServer, []attempt{{apiServer, 4, 9 * s, 4 * time.Minute, 1, flag}}, false, "exited 5 times"},
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
			v := Diagnose(t.Context(), machine(test.attempts...), test.component, time.Time{})
			if v.Fatal != test.fatal || !strings.Contains(v.Summary, test.summary) {
				t.Errorf("fatal %v: %s", v.Fatal, v.Summary)
			}
		})
	}
}

func TestDiagnoseProgress(t *testing.T) {
	progress := func(a ...attempt) string {
		return Diagnose(context.Background(), machine(a...), apiServer, time.Time{}).Progress
	}
	base := progress(attempt{apiServer, 0, 0, 0, 0, "W 10:00:01 port 123 closed"})
	if again := progress(attempt{apiServer, 0, 0, 0, 0, "serving"}); again != base {
		t.Errorf("another message is progress: %q, %q", base, again)
	}
	signs := func(log string) string {
		return Diagnose(context.Background(), machine(attempt{apiServer, 0, 0, 0, 0, log}), apiServer, time.Time{}).Signs
	}
	if a, b := signs("W 10:00:01 port 123 closed"), signs("W 10:00:02 port 456 closed"); a != b {
		t.Errorf("the same message again is a sign: %q, %q", a, b)
	}
	if signs("W 10:00:01 port 123 closed") == signs("serving") {
		t.Error("another message is no sign")
	}
	for name, other := range map[string]string{
		"nothing":     progress(),
		"exited":      progress(attempt{apiServer, 0, 0, 1, 1, "W 10:00:01 port 123 closed"}),
		"new attempt": progress(attempt{apiServer, 1, 5, 0, 0, "W 10:00:01 port 123 closed"}),
	} {
		if other == base || other == "" {
			t.Errorf("%s is no progress: %q", name, other)
		}
	}
}

// TestDiagnoseSince: what ended before the cause was mended decides nothing; the first attempt after that does.
func TestDiagnoseSince(t *testing.T) {
	const flag = "Error: unknown flag: --foo"
	s := time.Second
	old := []attempt{{apiServer, 5, 9 * s, s, 1, flag}, {apiServer, 4, 0, s, 1, flag}}
	next := append([]attempt{{apiServer, 6, 20 * s, s, 1, flag}}, old[0])
	mended := time.Unix(0, int64(time.Hour+15*s))
	if v := Diagnose(t.Context(), machine(old...), apiServer, mended); v.Fatal {
		t.Errorf("the attempts of before decide: %s", v.Summary)
	}
	if v := Diagnose(t.Context(), machine(next...), apiServer, mended); !v.Fatal {
		t.Errorf("it was not mended: %s", v.Summary)
	}
}

// TestDiagnoseKilled: the kubelet's startup probe ends what never becomes healthy, and starts it again.
func TestDiagnoseKilled(t *testing.T) {
	const why = "E1124 02:40:44.1  1 x.go:1] \"no\" err=\"x509: certificate signed by unknown authority\""
	m := time.Minute
	lives := func(n uint32, lived time.Duration, log string) []attempt {
		return []attempt{{apiServer, n, 20 * m, 0, 0, "starting"}, {apiServer, n - 1, 10 * m, lived, 137, log}}
	}
	for name, test := range map[string]struct {
		attempts []attempt
		fatal    bool
	}{
		"three times":      {lives(3, 4*m, why), true},
		"twice":            {lives(2, 4*m, why), false},
		"waits for etcd":   {lives(3, 4*m, "dial tcp 127.0.0.1:2379: connect: connection refused"), false},
		"ended by itself":  {lives(3, time.Second, why), false},
		"only one is kept": {lives(3, 4*m, why)[:1], false},
	} {
		v := Diagnose(t.Context(), machine(test.attempts...), apiServer, time.Time{})
		if v.Fatal != test.fatal || test.fatal && !strings.Contains(v.Summary, "never became healthy: it was ended 3 times, the last time after 4m0s") {
			t.Errorf("%s: fatal %v: %s", name, v.Fatal, v.Summary)
		}
	}
	if v := Diagnose(t.Context(), machine(lives(3, 4*m, why)...), apiServer, time.Unix(0, int64(time.Hour+15*m))); v.Fatal {
		t.Errorf("what was ended before decides: %s", v.Summary)
	}
}

func TestDiagnoseWithoutRuntime(t *testing.T) {
	v := Diagnose(t.Context(), &hosttest.Runtime{Err: errors.New("no socket")}, apiServer, time.Time{})
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
