package cmd

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/systemd"
)

// A worker's kubelet that will never work ends the join at once: neither health nor a certificate is waited for.
func TestJoinKubeletEnds(t *testing.T) {
	c := newCluster(t)
	m := newMachine(t, c, "w1")
	const line = `E1126 00:54:59.592842    3504 run.go:72] "command failed" err="failed to parse kubelet flag: unknown flag: --no-such-flag"`
	m.systemd.Started = func(name string) {
		m.systemd.SetJournal(name, "Started kubelet.service", line, "kubelet.service: Failed with result 'exit-code'.")
		u, err := m.systemd.Unit(t.Context(), name)
		if err != nil {
			t.Error(err)
		}
		u.ActiveState, u.SubState, u.Result, u.ExecMainStatus = "activating", "auto-restart", "exit-code", 1
		m.systemd.Set(u)
	}
	code, stdout, stderr := m.run(c.joins()...)
	_, said, _ := strings.Cut(stderr, "\nerror: ")
	if code != cause.Incomplete.Exit() || strings.Count(said, "--no-such-flag") != 1 {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{"the kubelet ended (exit-code, status 1): it does not know a flag\n",
		"\n  | failed to parse kubelet flag: unknown flag: --no-such-flag\n",
		"\nmend it in KUBELET_EXTRA_ARGS", "\nwhat is done stays; to carry on, run the same command again",
		"\nto go back to how the machine was before: kubewright rollback"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in:\n%s", want, said)
		}
	}
	// What was written before the process was started is about another one.
	m.systemd.Started = func(name string) {
		u, err := m.systemd.Unit(t.Context(), name)
		if err != nil {
			t.Error(err)
		}
		u.MainStart = time.Now().Add(time.Second)
		m.systemd.Set(u)
		m.kubelet()
	}
	m.systemd.Set(systemd.Unit{Name: config.KubeletService, LoadState: "loaded"})
	joined(t, m, c.joins()...)
}

// An etcd that will never work ends the join at its first end, with what to do, and leaves no member.
func TestJoinEtcdCause(t *testing.T) {
	t.Parallel()
	c, e := newStacked(t)
	m := newMachine(t, c, "cp2")
	ctx, cancel := context.WithCancel(t.Context())
	m.done.Go(func() {
		for ctx.Err() == nil && !m.host.Exists(etcdManifest) {
			time.Sleep(10 * time.Millisecond)
		}
		at := time.Now().UnixNano()
		m.runtime.SetLogs("c", `{"level":"panic","ts":"2026-11-26T00:55:27Z","msg":"failed to create WAL","error":"no space left on device"}`,
			"panic: failed to create WAL")
		m.runtime.SetContainers(host.Container{ID: "c", Name: "etcd", PodName: "etcd-cp2", PodCreatedAt: at, StartedAt: at,
			FinishedAt: at + 1, ExitCode: 2})
	})
	t.Cleanup(cancel)
	refused(t, m, []string{"etcd ended with exit code 2: the disk is full\n  | failed to create WAL: no space left on device\nmake room", "is taken away again"},
		c.controlPlane(c.upload(t))...)
	if ownMember(e) != nil || m.host.Exists(etcdManifest) {
		t.Errorf("left: %v", e.Members)
	}
}
