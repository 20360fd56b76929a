package cmd

import (
	"fmt"
	"strings"
	"testing"
)

// TestRenewWritesFail lets changes of files fail that a renewal makes. The error names the path and the cause, nothing is half-written or
// told that is secret, and the same command again leaves what init takes for finished.
func TestRenewWritesFail(t *testing.T) {
	t.Parallel()
	prepare := func(t *testing.T) (*scene, []string) {
		m, initArgs := newNode(t)
		return &scene{fakeMachine: m, args: []string{"certs", "renew", "all"}, before: m.tree()}, initArgs
	}
	s, _ := prepare(t)
	code, output, all, _ := s.failing(func(int, change) error { return nil })
	if code != 0 || len(all) < 100 {
		t.Fatalf("exit code %d, %d changes\n%s", code, len(all), output)
	}
	stride, shift := sample(len(all))
	for n, at := shift, 1; at <= len(all); n, at = n+1, at+stride {
		trouble := troubles()[n%len(troubles())]
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			s, initArgs := prepare(t)
			code, output, _, failed := s.failing(func(n int, _ change) error {
				if n == at {
					return trouble
				}
				return nil
			})
			s.told(t, code, output, failed[0], trouble)
			s.noTemporary(t, failed[0])
			joined(t, s.fakeMachine, s.args...)
			if output := joined(t, s.fakeMachine, initArgs...); !strings.Contains(output, "Nothing to do") {
				t.Errorf("%s: init afterwards:\n%s", failed[0], output)
			}
		})
	}
}
