package cmd

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kubewright/kubewright/plan"
)

// TestWholePhases: a phase that is done in parts has one line, at the end of the last, and at once where it fails.
func TestWholePhases(t *testing.T) {
	type part struct {
		phase string
		err   error
	}
	broken := errors.New("broken")
	for _, tc := range []struct {
		name string
		ends []part
		want []string
	}{
		{"all well", []part{{"certs", nil}, {"kubelet-start", nil}, {"certs", nil}}, []string{"kubelet-start 1 1s <nil>", "certs 2 2s <nil>"}},
		{"the first part fails", []part{{"certs", broken}}, []string{"certs 1 1s broken"}},
		{"one between them fails", []part{{"certs", nil}, {"kubelet-start", broken}}, []string{"kubelet-start 1 1s broken"}},
		{"it goes on after a failure", []part{{"certs", broken}, {"kubelet-start", nil}, {"certs", nil}},
			[]string{"certs 1 1s broken", "kubelet-start 1 1s <nil>", "certs 1 1s <nil>"}},
		{"more parts than were planned", []part{{"certs", nil}, {"certs", nil}, {"certs", nil}}, []string{"certs 2 2s <nil>", "certs 1 1s <nil>"}},
		{"a phase that was not planned", []part{{"addon", nil}, {"addon", nil}}, []string{"addon 1 1s <nil>", "addon 1 1s <nil>"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			p := plan.Plan{Sections: []plan.Section{{Phase: "certs"}, {Phase: "kubelet-start"}, {Phase: "certs"}}}
			o := wholePhases(p, plan.Observer{End: func(phase string, changes int, took time.Duration, err error) {
				got = append(got, fmt.Sprint(phase, " ", changes, " ", took, " ", err))
			}})
			for _, part := range tc.ends {
				o.End(part.phase, 1, time.Second, part.err)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%q; want %q", got, tc.want)
			}
		})
	}
}
