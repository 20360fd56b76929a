package cmd

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"testing"
)

// TestMain puts the fake machines into memory where it can: they write thousands of small files durably. Most of them wait for
// something most of the time, so that more run at the same time than there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	debug.SetGCPercent(800)
	const memory = "/dev/shm"
	dir, err := os.MkdirTemp(memory, "kubewright-test-*")
	if err == nil {
		err = os.Chmod(dir, 0o755) // some tests look at it as another user
		os.Setenv("TMPDIR", dir)
	}
	code := m.Run()
	if err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}
