package bed

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeOutage is a machine whose init is a script.
func fakeOutage(t *testing.T, script string) *outage {
	t.Helper()
	m, _ := fakeVM(t)
	fakeQemu(t, "exec sleep 1000")
	p, err := qemu{accel: "tcg"}.start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	p.line, m.process = m.agent.wire.w.(net.Conn), p // which ends with qemu
	tool := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return &outage{virtual: m, tool: tool, disk: newVolatileDisk(t, 2), random: rand.New(rand.NewPCG(1, 0))}
}

const twoSteps = `echo '{"event":"phase","phase":"preflight"}'
echo '{"event":"step","phase":"certs","step":"file a","change":"create"}'
echo '{"event":"step","phase":"certs","step":"file b","change":"create"}'
`

// The power is cut while init runs, at the moment; what was not flushed is lost.
func TestCutWhileInitRuns(t *testing.T) {
	o := fakeOutage(t, twoSteps+"exec sleep 1000")
	writeDisk(t, o.disk, "lost", 0)
	start := time.Now()
	if err := o.cut(t.Context(), moment{"files", writingPhases, 2, time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 100*time.Second {
		t.Errorf("it took %s: it was not cut", took)
	}
	await(t, o.process.done)
	if err := o.disk.Flush(); err != errPower {
		t.Errorf("the disk has power: %v", err)
	}
	if r := o.rows[0]; !strings.HasPrefix(r.at, "certs, after file b (") || !strings.HasSuffix(r.lost, " of 1") {
		t.Errorf("%+v", r)
	}
}

// An init that ends before its moment is cut then; one that fails is no power cut.
func TestCutOfWhatHasEnded(t *testing.T) {
	o := fakeOutage(t, twoSteps)
	if err := o.cut(t.Context(), moment{"addons", addonPhases, 1, time.Hour}); err != nil || o.rows[0].at != "after its end" {
		t.Errorf("%v, %+v", err, o.rows)
	}
	await(t, o.process.done)
	o = fakeOutage(t, twoSteps+`echo '{"event":"error","message":"no disk"}'; exit 1`)
	err := o.cut(t.Context(), moment{"addons", addonPhases, 1, time.Hour})
	if err == nil || !strings.Contains(err.Error(), "exit code 1: no disk") || len(o.rows) != 0 {
		t.Errorf("%v, %+v; want what init said", err, o.rows)
	}
}

// An init that says that the same command goes on is run again, and no more than three times.
func TestCutRunsInitAgain(t *testing.T) {
	dir := t.TempDir()
	script := func(last int) string {
		return fmt.Sprintf(`echo x >> %[1]s/runs; test $(wc -l < %[1]s/runs) -lt %[2]d || exit 0
echo '{"event":"error","message":"the runtime is slow"}'; exit 4
`, dir, last)
	}
	o := fakeOutage(t, script(3))
	if err := o.init(t.Context(), &seen{}, func() {}); err != nil {
		t.Errorf("the third run: %v", err)
	}
	if err := os.Remove(dir + "/runs"); err != nil {
		t.Fatal(err)
	}
	o = fakeOutage(t, script(9))
	if err := o.init(t.Context(), &seen{}, func() {}); err == nil || !strings.Contains(err.Error(), "exit code 4: the runtime is slow") {
		t.Errorf("one that never works: %v", err)
	}
	if runs, err := os.ReadFile(dir + "/runs"); err != nil || string(runs) != "x\nx\nx\n" {
		t.Errorf("runs: %q, %v", runs, err)
	}
}
