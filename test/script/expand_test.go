package script

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// expand replaces the environment variables in a file: it knows the directory of the script then.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}
