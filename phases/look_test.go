package phases

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/preflight"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// ran is a component's container that has run for a second, or runs.
func ran(component string, code int32, at time.Time) host.Container {
	c := host.Container{ID: component, Name: component, PodName: component + "-cp1", ExitCode: code, Running: code == 0,
		StartedAt: at.UnixNano()}
	if code != 0 {
		c.FinishedAt = at.Add(time.Second).UnixNano()
	}
	return c
}

// TestLookAtAll ends the wait for one component by what is wrong with another one for good, and by nothing that may pass.
func TestLookAtAll(t *testing.T) {
	h, rt, units := hosttest.New(t), &hosttest.Runtime{}, systemdtest.New()
	f := facts(t, h, minimal)
	f.Listeners = func(int) []preflight.Process { return []preflight.Process{{PID: 7, Name: "nginx"}} }
	units.Set(systemd.Unit{Name: config.KubeletService, ActiveState: "active", SubState: "running"})
	units.Now = func() time.Time { return now }
	rt.SetContainers(ran(config.Etcd, 0, now), ran(config.APIServer, 0, now), ran(config.Scheduler, 1, now))
	for name, test := range map[string]struct{ log, journal, hopeless string }{
		"it waits":      {log: "connection refused"},
		"not explained": {log: "E1 odd"},
		"wrong flag": {log: "Error: unknown flag: --x",
			hopeless: "kube-scheduler ended with exit code 1: it does not know a flag"},
		"its port": {log: "E1126 1 run.go:72] listen tcp 127.0.0.1:10259: bind: address already in use",
			hopeless: "kube-scheduler ended with exit code 1: port 10259 is taken by nginx (pid 7)"},
		"image of another": {journal: `with ErrImageNeverPull: "x" pod="kube-system/kube-controller-manager-cp1"`,
			hopeless: "kube-controller-manager does not start: its image is not there"},
	} {
		rt.SetLogs(config.Scheduler, test.log)
		units.SetJournal(config.KubeletService, test.journal)
		seen := watchPods(newLooker(f))(config.APIServer)(t.Context(), &plan.Target{Host: h, Runtime: rt, Systemd: units})
		got := ""
		if seen.Hopeless != nil {
			got = seen.Hopeless.Error()
		}
		if got != test.hopeless || (seen.Hint != "") != (got != "") {
			t.Errorf("%s: %q, %q", name, got, seen.Hint)
		}
		if got == "" && !strings.Contains(seen.Status, "kube-apiserver is running") {
			t.Errorf("%s: the status is that of another: %s", name, seen.Status)
		}
	}
}

// TestLookAtKubelet: the kubelet may end after it was healthy.
func TestLookAtKubelet(t *testing.T) {
	h, units := hosttest.New(t), systemdtest.New()
	units.Set(systemd.Unit{Name: config.KubeletService, ActiveState: "activating", SubState: "auto-restart", Result: "exit-code",
		ExecMainStatus: 1})
	units.SetJournal(config.KubeletService,
		`E1126 1 run.go:72] "command failed" err="failed to run Kubelet: open /x: permission denied"`)
	for _, rt := range []host.Runtime{nil, &hosttest.Runtime{}} {
		seen := watchPods(newLooker(facts(t, h, minimal)))(config.APIServer)(t.Context(), &plan.Target{Host: h, Runtime: rt,
			Systemd: units})
		if seen.Hopeless == nil ||
			seen.Hopeless.Error() != "the kubelet ended (exit-code, status 1): it may not do what it has to" ||
			len(seen.Log) != 1 {
			t.Errorf("%+v", seen)
		}
	}
}

// TestJournalOnce reads each line of the kubelet's journal once, and those of before the run or of an earlier process never.
func TestJournalOnce(t *testing.T) {
	h, units := hosttest.New(t), systemdtest.New()
	f := facts(t, h, minimal)
	clock := now
	h.Now = func() time.Time { return clock }
	units.Now = h.Now
	units.Set(systemd.Unit{Name: config.KubeletService, ActiveState: "active", MainStart: now.Add(time.Second)})
	l, target := newLooker(f), &plan.Target{Host: h, Systemd: units}
	for i, step := range []struct {
		written, read time.Duration
		lines         int
	}{{-time.Second, 2 * time.Second, 0}, {500 * time.Millisecond, 2 * time.Second, 0}, {2 * time.Second, 3 * time.Second, 1},
		{2 * time.Second, 10 * time.Second, 1},
		{2 * time.Second, 11 * time.Second, 0}} {
		clock = now.Add(step.written)
		units.SetJournal(config.KubeletService, "x")
		clock = now.Add(step.read)
		if got := l.journal(t.Context(), target); len(got) != step.lines {
			t.Errorf("look %d: %v", i, got)
		}
	}
}

// TestUntrusted: the certificate at the API server's port counts only when it is certain that it is the API server's.
func TestUntrusted(t *testing.T) {
	h, rt := hosttest.New(t), &hosttest.Runtime{}
	f := facts(t, h, minimal)
	rt.SetContainers(ran(config.Etcd, 0, now), ran(config.APIServer, 0, now))
	bad := fmt.Errorf("not healthy: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})
	p := cluster.Probe{Name: config.APIServer, URL: "https://10.9.0.2:6443/livez"}
	for name, test := range map[string]struct {
		holders []preflight.Process
		answer  error
		end     bool
	}{
		"its own":      {[]preflight.Process{{PID: 1, Name: config.APIServer}}, bad, true},
		"another's":    {[]preflight.Process{{PID: 1, Name: "nginx"}}, bad, false},
		"unknown":      {nil, bad, false},
		"other answer": {[]preflight.Process{{PID: 1, Name: config.APIServer}}, errors.New("answers 500"), false},
		"none":         {[]preflight.Process{{PID: 1, Name: config.APIServer}}, nil, false},
	} {
		f.Listeners = func(port int) []preflight.Process {
			if port != 6443 {
				t.Errorf("asked for port %d", port)
			}
			return test.holders
		}
		l := newLooker(f)
		if err := l.answered(p, test.answer); !errors.Is(err, test.answer) {
			t.Errorf("%s: %v", name, err)
		}
		seen := watchPods(l)(config.APIServer)(t.Context(), &plan.Target{Host: h, Runtime: rt})
		if (seen.Hopeless != nil) != test.end {
			t.Errorf("%s: %+v", name, seen)
		}
	}
}
