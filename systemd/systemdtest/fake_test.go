package systemdtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/systemd"
)

const kubelet = "kubelet.service"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func unitNow(t *testing.T, f *Fake) systemd.Unit {
	t.Helper()
	u, err := f.Unit(t.Context(), kubelet)
	must(t, err)
	return u
}

func TestLifeOfAUnit(t *testing.T) {
	ctx, f := t.Context(), New()
	clock := time.Unix(1000, 0)
	f.Now = func() time.Time { clock = clock.Add(time.Second); return clock }
	var started []string
	f.Started = func(name string) { started = append(started, name+" "+unitNow(t, f).ActiveState) }
	if u := unitNow(t, f); u.LoadState != "not-found" {
		t.Errorf("a unit that was not set: %+v", u)
	}
	if err := f.Start(ctx, kubelet); err == nil || err.Error() != "cannot start kubelet.service: unit is not-found" {
		t.Errorf("start of an unknown unit: %v", err)
	}
	f.Set(systemd.Unit{Name: kubelet, UnitFileState: "disabled"})
	must(t, f.Enable(ctx, kubelet))
	must(t, f.Start(ctx, kubelet))
	first := unitNow(t, f)
	must(t, f.Start(ctx, kubelet))
	if again := unitNow(t, f); !cmp.Equal(first, again) || first.ActiveState != "active" || first.UnitFileState != "enabled" {
		t.Errorf("after start %+v, after another %+v", first, again)
	}
	must(t, f.Restart(ctx, kubelet))
	if u := unitNow(t, f); !u.ActiveEnter.After(first.ActiveEnter) || u.MainPID == first.MainPID {
		t.Errorf("restart did not start a new process: %+v", u)
	}
	must(t, f.Stop(ctx, kubelet))
	must(t, f.Disable(ctx, kubelet))
	if u := unitNow(t, f); u.ActiveState != "inactive" || u.UnitFileState != "disabled" || u.MainPID != 0 {
		t.Errorf("after stop and disable: %+v", u)
	}
	want := []string{"start " + kubelet, "enable " + kubelet, "start " + kubelet, "start " + kubelet, "restart " + kubelet, "stop " + kubelet, "disable " + kubelet}
	if d := cmp.Diff(want, f.Calls()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{kubelet + " active", kubelet + " active"}, started); d != "" {
		t.Error(d)
	}
}

func TestFailAndBlock(t *testing.T) {
	ctx, f := t.Context(), New()
	f.Set(systemd.Unit{Name: kubelet})
	f.SetJournal(kubelet, "one", "two")
	f.Fail("restart", kubelet, "failed")
	err := f.Restart(ctx, kubelet)
	if e := new(systemd.JobError); !errors.As(err, &e) || e.State.ActiveState != "failed" || len(e.Journal) != 2 {
		t.Errorf("failing restart: %v", err)
	}
	f.Fail("restart", kubelet, "")
	must(t, f.Restart(ctx, kubelet))
	f.Block("restart", kubelet, "network-online.target")
	if err := f.Restart(ctx, kubelet); err == nil || !strings.Contains(err.Error(), "network-online.target") {
		t.Errorf("blocked restart: %v", err)
	}
	f.Block("restart", kubelet)
	must(t, f.Restart(ctx, kubelet))
	f.Fail("reload", "", "no")
	f.Fail("enable", kubelet, "no")
	if f.Reload(ctx) == nil || f.Enable(ctx, kubelet) == nil {
		t.Error("reload or enable did not fail")
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := f.Stop(ended, kubelet); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended: %v", err)
	}
	if lines, _ := f.Journal(ctx, kubelet, time.Time{}, 1); len(lines) != 1 || lines[0].Text != "two" {
		t.Errorf("journal %v", lines)
	}
	if lines, _ := f.Journal(ctx, kubelet, time.Now().Add(time.Hour), 1); len(lines) != 0 {
		t.Errorf("journal of the future %v", lines)
	}
}

// Unit files and drop-ins count from the Reload after they were written.
func TestFilesBelowRoot(t *testing.T) {
	ctx, f := t.Context(), New()
	f.Root = t.TempDir()
	write := func(path, data string) {
		t.Helper()
		must(t, os.MkdirAll(filepath.Join(f.Root, filepath.Dir(path)), 0o755))
		must(t, os.WriteFile(filepath.Join(f.Root, path), []byte(data), 0o644))
	}
	if u := unitNow(t, f); u.LoadState != "not-found" || u.NeedDaemonReload {
		t.Errorf("before: %+v", u)
	}
	write("/usr/lib/systemd/system/kubelet.service", "[Service]\n")
	u := unitNow(t, f)
	if u.LoadState != "loaded" || u.UnitFileState != "disabled" || u.FragmentPath != "/usr/lib/systemd/system/kubelet.service" {
		t.Errorf("unit file written: %+v", u)
	}
	dropIn := "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
	write(dropIn, "[Service]\n")
	if u := unitNow(t, f); u.NeedDaemonReload || len(u.DropInPaths) != 0 {
		t.Errorf("first drop-in written: %+v", u)
	}
	must(t, f.Reload(ctx))
	write(dropIn, "[Service]\nNice=1\n")
	if u := unitNow(t, f); !u.NeedDaemonReload {
		t.Errorf("drop-in changed: %+v", u)
	}
	must(t, f.Reload(ctx))
	if u := unitNow(t, f); u.NeedDaemonReload || !cmp.Equal(u.DropInPaths, []string{dropIn}) {
		t.Errorf("drop-in read: %+v", u)
	}
	must(t, os.Symlink("/dev/null", filepath.Join(f.Root, "/etc/systemd/system/kubelet.service")))
	must(t, f.Reload(ctx))
	if u := unitNow(t, f); u.LoadState != "masked" || f.Restart(ctx, kubelet) == nil {
		t.Errorf("masked: %+v", u)
	}
}
