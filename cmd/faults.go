//go:build faults

package cmd

import (
	"os"

	"github.com/kubewright/kubewright/host/faults"
)

// faultHook lets tests end the process at an exact point of what it does to files.
func faultHook() func(op, path string) error {
	h, err := faults.FromEnvironment(os.Getenv)
	if err != nil {
		panic(err)
	}
	if h == nil {
		return nil
	}
	return h.Fault
}
