package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// These tests change the units of the machine they run on. Run them in a machine made for tests:
//
//	KUBEWRIGHT_SYSTEMD_TEST=1 go test ./systemd -run TestReal
func realManager(t *testing.T, units map[string]string) *manager {
	t.Helper()
	if os.Getenv("KUBEWRIGHT_SYSTEMD_TEST") != "1" {
		t.Skip("KUBEWRIGHT_SYSTEMD_TEST is not 1")
	}
	c, err := Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := c.(*manager)
	for name, text := range units {
		path := filepath.Join("/run/systemd/system", name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(path) })
	}
	t.Cleanup(m.Close)
	t.Cleanup(func() {
		for name := range units {
			if err := m.Stop(context.Background(), name); err != nil {
				t.Error(err)
			}
			_ = m.ResetFailedUnitContext(context.Background(), name)
		}
	})
	if err := m.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRealStart(t *testing.T) {
	const name = "kubewright-test-ok.service"
	m := realManager(t, map[string]string{name: "[Service]\nExecStart=/bin/sleep 600\n[Install]\nWantedBy=multi-user.target\n"})
	begin := time.Now()
	if err := m.Start(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	u, err := m.Unit(t.Context(), name)
	if err != nil || u.ActiveState != "active" || u.SubState != "running" || u.MainPID == 0 || u.ActiveEnter.Before(begin.Add(-time.Second)) {
		t.Errorf("after start: %+v, %v", u, err)
	}
	if err := m.Restart(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	again, _ := m.Unit(t.Context(), name)
	if again.MainPID == u.MainPID || !again.ActiveEnter.After(u.ActiveEnter) {
		t.Errorf("after restart: %+v", again)
	}
	for _, c := range []struct {
		change func(context.Context, string) error
		want   string
	}{{m.Enable, "enabled"}, {m.Disable, "disabled"}} {
		if err := c.change(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if u, _ := m.Unit(t.Context(), name); u.UnitFileState != c.want {
			t.Errorf("%q, want %s", u.UnitFileState, c.want)
		}
	}
	// systemd does not notice by itself that there is a first drop-in, for it does not look into a directory that is new;
	// the second one it does notice.
	for i, noticed := range []bool{false, true} {
		dropIn := fmt.Sprintf("/run/systemd/system/%s.d/1%d-test.conf", name, i)
		t.Cleanup(func() { os.RemoveAll(filepath.Dir(dropIn)) })
		if err := errors.Join(os.MkdirAll(filepath.Dir(dropIn), 0o755), os.WriteFile(dropIn, []byte("[Service]\nNice=1\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		if u, _ := m.Unit(t.Context(), name); u.NeedDaemonReload != noticed || len(u.DropInPaths) != i {
			t.Errorf("drop-in %d written: %+v", i, u)
		}
		if err := m.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if u, _ := m.Unit(t.Context(), name); u.NeedDaemonReload || !slices.Contains(u.DropInPaths, dropIn) {
			t.Errorf("drop-in %d read: %+v", i, u)
		}
	}
	if err := m.Stop(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if u, _ := m.Unit(t.Context(), name); u.ActiveState != "inactive" {
		t.Errorf("after stop: %+v", u)
	}
	if u, err := m.Unit(t.Context(), "kubewright-test-absent.service"); err != nil || u.LoadState != "not-found" {
		t.Errorf("unit that does not exist: %+v, %v", u, err)
	}
}

func TestRealFailure(t *testing.T) {
	const name = "kubewright-test-fails.service"
	m := realManager(t, map[string]string{name: "[Unit]\nStartLimitBurst=1\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo last words; exit 3'\n"})
	for range 3 { // more often than the start limit allows
		err := m.Restart(t.Context(), name)
		if e := new(JobError); !errors.As(err, &e) || e.Result != "failed" || e.State.ExecMainStatus != 3 || e.State.Result != "exit-code" {
			t.Fatalf("%v", err)
		}
		if lines, jerr := m.Journal(t.Context(), name, time.Time{}, 10); jerr == nil && lines != nil && !strings.Contains(err.Error(), "last words") {
			t.Errorf("the error does not tell the journal: %v", err)
		}
	}
}

func TestRealBlocked(t *testing.T) {
	const slow, blocked = "kubewright-test-slow.service", "kubewright-test-blocked.service"
	m := realManager(t, map[string]string{
		slow:    "[Service]\nType=oneshot\nExecStart=/bin/sleep 600\n",
		blocked: "[Unit]\nWants=" + slow + "\nAfter=" + slow + "\n[Service]\nExecStart=/bin/sleep 600\n",
	})
	m.stall = 2 * time.Second
	err := m.Start(t.Context(), blocked)
	if e := new(JobError); !errors.As(err, &e) || e.Result != "still waiting" || !slices.Contains(e.BlockedBy, slow) {
		t.Errorf("%v", err)
	}
}

// What systemd calls done, and is not.
func TestRealDoneInName(t *testing.T) {
	const none, unmet = "kubewright-test-none.service", "kubewright-test-unmet.service"
	m := realManager(t, map[string]string{
		none:  "[Service]\nExecStart=/no/such/program\nRestart=always\nRestartSec=10\n",
		unmet: "[Unit]\nConditionPathExists=/no/such/file\n[Service]\nExecStart=/bin/sleep 600\n[Install]\nWantedBy=basic.target\n",
	})
	// systemd forgets at once what became of a unit that nothing refers to.
	if err := m.Enable(t.Context(), unmet); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Disable(context.Background(), unmet) })
	for name, want := range map[string]string{none: "failed", unmet: "skipped"} {
		err := m.Start(t.Context(), name)
		if e := new(JobError); !errors.As(err, &e) || e.Result != want {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Log(err)
		}
	}
}
