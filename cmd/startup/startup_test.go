package startup

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestOver: the program begins with rare collections and comes back to the usual ones; what the user has set stays.
func TestOver(t *testing.T) {
	now := func() int {
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent
	}
	if os.Getenv("GOGC") != "" {
		t.Skip("GOGC is set")
	}
	if got := now(); got != late {
		t.Errorf("%d percent at the beginning", got)
	}
	Over()
	Over()
	if got := now(); got != 100 {
		t.Errorf("%d percent afterwards", got)
	}
	if got := delay("50"); got != 0 || now() != 100 {
		t.Errorf("%d, and %d percent where the user has said 50", got, now())
	}
}
