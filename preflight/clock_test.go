package preflight

import (
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/host/hosttest"
)

// TestClocks: what makes a certificate invalid is an error that tells the seconds and both clocks; less is a warning.
func TestClocks(t *testing.T) {
	h := hosttest.New(t)
	h.Now = func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }
	const later, earlier = "here it is 2026-11-24T12:00:00Z, there 2026-11-24T12:06:00Z", "here it is 2026-11-24T12:00:00Z, there 2026-11-24T11:54:00Z"
	for name, test := range map[string]struct {
		ahead time.Duration
		signs bool
		want  string
		fails bool
	}{
		"the same":                 {ahead: 29 * time.Second},
		"hardly worth a word":      {ahead: -30 * time.Second, want: "is 30 seconds ahead of the API server's"},
		"a worker, a little":       {ahead: 2 * time.Minute, want: "is 120 seconds behind the API server's"},
		"a worker, behind":         {ahead: 6 * time.Minute, want: "360 seconds behind the API server's: " + later + "; the certificate that the cluster makes", fails: true},
		"a worker, ahead":          {ahead: -6 * time.Minute, want: "360 seconds ahead of the API server's: " + earlier},
		"a control plane, behind":  {ahead: 6 * time.Minute, signs: true, want: later},
		"a control plane, ahead":   {ahead: -6 * time.Minute, signs: true, want: earlier + "; the certificates that are made here", fails: true},
		"a control plane, by days": {ahead: -72 * time.Hour, signs: true, want: "259200 seconds ahead", fails: true},
	} {
		i := &initChecks{m: Machine{Host: h}, join: &Joining{Skew: test.ahead, Signs: test.signs}}
		found := i.clocks(t.Context())
		if test.want == "" {
			if found != nil {
				t.Errorf("%s: %v", name, found)
			}
			continue
		}
		if len(found) != 1 || !strings.Contains(found[0].Message, test.want) || found[0].Warning == test.fails {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
