package plan

import (
	"fmt"
	"strings"
)

// Failures are the errors of steps after which a run went on.
type Failures []error

// Error lists them.
func (f Failures) Error() string {
	if len(f) == 1 {
		return f[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d parts failed, the others are done", len(f))
	for _, err := range f {
		b.WriteString("\n- " + strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return b.String()
}

// Unwrap is for errors.Is and errors.As.
func (f Failures) Unwrap() []error { return f }

// and is the error of a run that ended with err, or came to its end with nil, after these failures.
func (f Failures) and(err error) error {
	switch {
	case len(f) == 0:
		return err
	case err == nil:
		return f
	}
	return fmt.Errorf("%w\nbefore that, %s", err, f)
}
