// Package startup spares the program a garbage collection while its packages prepare. They take four megabytes, which is just enough for
// one, and it is a fifth of the time of a command like version. Importing it does it: as it imports next to nothing itself, the Go
// specification (packages by import path, each after what it imports) puts it before the packages that take most.
package startup

import (
	"os"
	"runtime/debug"
)

// late, in percent, lets the heap grow to 8 MiB before the first collection, in place of 4 MiB.
const late = 200

// usual is the percentage that Go begins with; 0 where the user has set one (GOGC).
var usual = delay(os.Getenv("GOGC"))

func delay(set string) int {
	if set != "" {
		return 0
	}
	return debug.SetGCPercent(late)
}

// Over brings back the usual pace, for what runs for longer and should not take more memory than it needs. Twice is the same as once.
func Over() {
	if usual != 0 {
		debug.SetGCPercent(usual)
	}
}
