package cause

import (
	"errors"
	"fmt"
	"testing"
)

func TestMark(t *testing.T) {
	plain := errors.New("plain")
	refused := Refused.Mark(plain)
	for name, test := range map[string]struct {
		err  error
		want Cause
	}{
		"none":            {plain, Other},
		"marked":          {refused, Refused},
		"with more text":  {fmt.Errorf("%w\nhint", refused), Refused},
		"joined":          {errors.Join(plain, refused), Refused},
		"the nearest one": {Incomplete.Mark(fmt.Errorf("run: %w", refused)), Refused},
	} {
		if got := Of(test.err); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	if Usage.Mark(nil) != nil || !errors.Is(refused, plain) || refused.Error() != "plain" {
		t.Error("a mark changes more than the cause")
	}
}

func TestExit(t *testing.T) {
	for _, c := range All() {
		if c.Exit() < 1 || c.Exit() > 6 {
			t.Errorf("%s has exit code %d", c, c.Exit())
		}
	}
	if len(All()) != len(exits) {
		t.Errorf("%d causes are listed, %d have an exit code", len(All()), len(exits))
	}
}
