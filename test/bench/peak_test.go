package bench

import (
	"os/exec"
	"testing"
	"time"
)

// TestWatchPeak finds the process below others, and tells its memory and not theirs.
func TestWatchPeak(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 0.5; true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := watchPeak(cmd.Process.Pid, "sleep")
	time.Sleep(300 * time.Millisecond)
	if peak := stop(); peak < 0.1 || peak > 20 {
		t.Errorf("%.1f MiB", peak)
	}
	none := watchPeak(cmd.Process.Pid, "no-such-program")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if peak := none(); peak != 0 {
		t.Errorf("of no process: %.1f MiB", peak)
	}
}
