//go:build !faults

package cmd

// faultHook is none: only a program for tests, built with the tag "faults", can be ended at an exact point.
func faultHook() func(op, path string) error { return nil }
