// Package cause says why a command failed, in a word that machines read: one of a short list, each with an exit code. Whoever makes
// an error that has such a cause marks it; the mark stays while others add text to the error.
package cause

import "errors"

// Cause is why a command failed, as events name it.
type Cause string

// The causes. Those that are not worth a number of their own share exit code 1.
const (
	// Other is everything that no other word is for.
	Other Cause = "other"
	// Preflight: the machine is not fit, and was left untouched.
	Preflight Cause = "preflight"
	// Usage: the command line or the configuration is wrong; nothing was looked at or changed.
	Usage Cause = "usage"
	// Incomplete: a run that had begun to change something failed; the same command again goes on.
	Incomplete Cause = "incomplete"
	// Interrupted: the same, because the user stopped it.
	Interrupted Cause = "interrupted"
	// Refused: it could do harm that needs the user's consent, or touch what belongs to others.
	Refused Cause = "refused"
	// Busy: another run works on this machine.
	Busy Cause = "busy"
	// Unreachable: a server that was to be asked does not answer.
	Unreachable Cause = "unreachable"
)

// exits are the exit codes: 2 and 3 are what kubeadm once had for the same, and what scripts still look for.
var exits = map[Cause]int{
	Other: 1, Preflight: 2, Usage: 3, Incomplete: 4, Interrupted: 4, Refused: 5, Busy: 6, Unreachable: 1,
}

// All lists the causes in the order of their exit codes.
func All() []Cause {
	return []Cause{Other, Unreachable, Preflight, Usage, Incomplete, Interrupted, Refused, Busy}
}

// Exit is the exit code of a command that failed because of c.
func (c Cause) Exit() int { return exits[c] }

// Mark returns err with its cause, or nil for nil. An error that has one keeps it: who is nearest knows best.
func (c Cause) Mark(err error) error {
	if err == nil || has(err) {
		return err
	}
	return marked{error: err, cause: c}
}

// Of is why a command that returned err failed.
func Of(err error) Cause {
	var m marked
	if errors.As(err, &m) {
		return m.cause
	}
	return Other
}

func has(err error) bool {
	var m marked
	return errors.As(err, &m)
}

type marked struct {
	error
	cause Cause
}

func (m marked) Unwrap() error { return m.error }
