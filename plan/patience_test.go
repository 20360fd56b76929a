package plan

import (
	"errors"
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for name, test := range map[string]struct {
		moved, signs time.Duration
		exhausted    bool
	}{
		"just moved":                  {0, 0, false},
		"still for less than a stall": {50 * time.Second, 50 * time.Second, false},
		"still for a stall":           {61 * time.Second, 61 * time.Second, true},
		"signs for less than five":    {290 * time.Second, 0, false},
		"signs for five":              {301 * time.Second, 0, true},
		"signs have ended":            {90 * time.Second, 70 * time.Second, true},
	} {
		p := patience{stall: time.Minute, moved: ago(test.moved), signs: ago(test.signs)}
		if got := p.exhausted(); got != test.exhausted {
			t.Errorf("%s: exhausted %v", name, got)
		}
	}
	p := patience{stall: time.Minute, moved: ago(time.Hour), signs: ago(time.Hour),
		seen: map[string]bool{"a": true}, heard: map[string]bool{"x": true}}
	if p.note(Watched{Progress: []string{"a"}, Signs: []string{"x"}}); time.Since(p.signs) < time.Minute {
		t.Error("the same again counts")
	}
	if p.note(Watched{Progress: []string{"a"}, Signs: []string{"y", "x"}}); time.Since(p.signs) > time.Second || time.Since(p.moved) < time.Minute {
		t.Error("a sign is not taken for what it is")
	}
	if p.note(Watched{Progress: []string{"b"}, Signs: []string{"y"}, Status: "it runs"}); time.Since(p.moved) > time.Second {
		t.Error("progress is not noticed")
	}
	if got := p.status(errors.New("x509: unknown authority\nmore")); got != "it runs: x509: unknown authority" {
		t.Errorf("status %q", got)
	}
}
