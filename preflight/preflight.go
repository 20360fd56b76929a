// Package preflight has the checks that a machine must pass before it is changed. Each check has the name that it has in
// kubeadm, so that --ignore-preflight-errors means the same. The checks look at a Machine, which is a description: NewMachine
// describes the real one, tests describe others.
package preflight

import (
	"context"
	"strings"
	"time"
)

// Check is one question about the machine.
type Check struct {
	// Name is kubeadm's name, "Port-6443". Several checks may share one.
	Name string
	// Gate says that the check runs before those that are no gates, and that these do not run at all when it fails.
	Gate bool
	// Limit is the time that the check gets. Zero means 20 seconds.
	Limit time.Duration
	// Find returns what is wrong; nothing means that the check passed. It should end when ctx does. Run fills in the
	// findings' Check.
	Find func(ctx context.Context) []Finding
}

// Finding is one thing that is wrong with the machine.
type Finding struct {
	// Check is the name of the check, as it is given to --ignore-preflight-errors.
	Check string
	// Message says what is wrong, in one line.
	Message string
	// Hint says what to do about it, in any number of lines; it may be empty.
	Hint string
	// Warning says that it does not end the run.
	Warning bool
}

// String is "[ERROR Name]: message" or "[WARNING Name]: message", as kubeadm prints it and scripts look for it, followed by the
// lines of the hint.
func (f Finding) String() string {
	sort := "ERROR"
	if f.Warning {
		sort = "WARNING"
	}
	text := "[" + sort + " " + f.Check + "]: " + f.Message
	if f.Hint != "" {
		text += "\n" + f.Hint
	}
	return text
}

// failed is a finding that ends the run, warned one that does not.
func failed(message, hint string) []Finding { return []Finding{{Message: message, Hint: hint}} }

func warned(message, hint string) []Finding {
	return []Finding{{Message: message, Hint: hint, Warning: true}}
}

// failure makes a finding of an error, whose first line says what is wrong and whose other lines what to do. The hint is for
// errors that give none.
func failure(err error, hint string) []Finding {
	message, own, found := strings.Cut(err.Error(), "\n")
	if found {
		hint = own
	}
	return failed(message, hint)
}
