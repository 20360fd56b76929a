package systemd

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"github.com/google/go-cmp/cmp"
)

func TestNewUnit(t *testing.T) {
	got := newUnit(kubelet, map[string]any{
		"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled", "FragmentPath": "/u",
		"DropInPaths": []string{"/d"}, "NeedDaemonReload": true, "MainPID": uint32(5), "Result": "success", "ExecMainStatus": int32(1),
		"NRestarts": uint32(2), "ActiveEnterTimestamp": uint64(1_500_000),
		"ExecMainStartTimestamp": uint64(1_400_000),
	})
	want := Unit{Name: kubelet, LoadState: "loaded", ActiveState: "active", SubState: "running", UnitFileState: "enabled", FragmentPath: "/u",
		DropInPaths: []string{"/d"}, NeedDaemonReload: true, MainPID: 5, Result: "success", ExecMainStatus: 1, NRestarts: 2,
		ActiveEnter: time.UnixMicro(1_500_000), MainStart: time.UnixMicro(1_400_000)}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	none := newUnit(kubelet, map[string]any{"LoadState": "not-found", "MainPID": "of another type", "ActiveEnterTimestamp": uint64(0)})
	if d := cmp.Diff(Unit{Name: kubelet, LoadState: "not-found"}, none); d != "" || !none.ActiveEnter.IsZero() {
		t.Error(d)
	}
}

func TestBlockers(t *testing.T) {
	order := map[string][]string{"a": {"c", "b"}, "b": {"d"}, "d": {"a", "e"}, "r": {"e"}}
	job := func(unit, status string) dbus.JobStatus { return dbus.JobStatus{Unit: unit, Status: status} }
	for _, c := range []struct {
		name string
		jobs []dbus.JobStatus
		want []string
	}{
		{"direct ones first, a circle ends", []dbus.JobStatus{job("a", "waiting"), job("b", "waiting"), job("c", "waiting"), job("d", "waiting"), job("e", "running")}, []string{"b", "c", "d", "e"}},
		{"without a job it does not block", []dbus.JobStatus{job("a", "waiting"), job("d", "waiting")}, nil},
		{"a running job waits for nobody", []dbus.JobStatus{job("a", "running"), job("b", "waiting")}, nil},
		{"nor does what a running one comes after", []dbus.JobStatus{job("a", "waiting"), job("b", "running"), job("d", "waiting")}, []string{"b"}},
		{"no job", nil, nil},
	} {
		got := blockers("a", c.jobs, func(j dbus.JobStatus) []string { return order[j.Unit] })
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestWaitsFor(t *testing.T) {
	m := newManager(&fakeBus{props: map[string]map[string]any{kubelet: {"After": []string{"x"}, "Before": []string{"y"}}}})
	for kind, want := range map[string]string{"start": "x", "restart": "x", "stop": "y"} {
		if got := m.waitsFor(t.Context(), dbus.JobStatus{Unit: kubelet, JobType: kind}); !cmp.Equal(got, []string{want}) {
			t.Errorf("%s waits for %q", kind, got)
		}
	}
}

// A journalctl of our own shows what is asked for and how the answer is read.
func TestJournalctl(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if lines, err := journalctl(t.Context(), kubelet, time.Time{}, 3); lines != nil || err != nil {
		t.Errorf("without journalctl: %q, %v", lines, err)
	}
	at := time.Unix(1700000000, 123456000)
	for script, want := range map[string][]Line{
		`echo "1700000000.123456 x: $@"; echo "1700000001.000007 kubelet[7]: E1 a: b"; echo "   more"; echo`: {
			{at, "-u kubelet.service -n 3 -o short-unix --no-hostname --no-pager --quiet --since=@1700000000.123456"},
			{time.Unix(1700000001, 7000), "E1 a: b"}, {time.Unix(1700000001, 7000), "more"}},
		`echo no access >&2; :`:                          nil,
		`echo "-- Boot 1 --"; echo "1700000000.12 x: y"`: nil,
	} {
		if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		lines, err := journalctl(t.Context(), kubelet, at, 3)
		if d := cmp.Diff(want, lines); d != "" || err != nil {
			t.Errorf("%s: %v %s", script, err, d)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte("#!/bin/sh\necho broken >&2; exit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := journalctl(t.Context(), kubelet, time.Time{}, 3); err == nil || err.Error() != "cannot read the journal of kubelet.service: exit status 1: broken" {
		t.Error(err)
	}
}
