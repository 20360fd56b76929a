package phases

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/preflight"
)

// TestDryRunOnlyLooks: the checks of a dry run listen on no port and leave the cgroups alone; those of a real run do not stop at looking.
func TestDryRunOnlyLooks(t *testing.T) {
	for _, lenient := range []bool{true, false} {
		var touched, looked atomic.Int32 // the checks run at the same time
		m := preflight.Machine{
			Host:          hosttest.New(t),
			Listen:        func(context.Context, string) error { touched.Add(1); return nil },
			VerifySystem:  func(string) (warnings, errs []error) { touched.Add(1); return nil, nil },
			Look:          func(context.Context, string) error { looked.Add(1); return nil },
			InspectSystem: func(string) (warnings, errs []error) { looked.Add(1); return nil, nil },
		}
		f := facts(t, m.Host, minimal)
		f.Preflight, f.Lenient = &m, lenient
		f.Config.Init.NodeRegistration.IgnorePreflightErrors = []string{"all"}
		one, err := Init().Select("preflight")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := one.Plan(context.Background(), f); err != nil {
			t.Fatal(err)
		}
		if lenient && (touched.Load() > 0 || looked.Load() == 0) || !lenient && (touched.Load() == 0 || looked.Load() > 0) {
			t.Errorf("dry run %t: touched %d times, looked %d times", lenient, touched.Load(), looked.Load())
		}
	}
}
