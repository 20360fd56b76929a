package systemd

import (
	"fmt"
	"strings"
)

// Error says in its first line what failed and in what state the unit is, then what blocks the job, then what the unit
// logged last.
func (e *JobError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cannot %s %s: job %s: unit is %s", e.Verb, e.Unit, e.result(), e.State.describe())
	if e.State.LoadState == "masked" {
		fmt.Fprintf(&b, "\nit is masked; run: systemctl unmask %s", e.Unit)
	}
	if len(e.BlockedBy) > 0 {
		fmt.Fprintf(&b, "\nits job waits for the jobs of: %s", strings.Join(e.BlockedBy, ", "))
		fmt.Fprintf(&b, "\nfind out what they wait for with: systemctl list-jobs --after")
	}
	if len(e.Journal) > 0 {
		fmt.Fprintf(&b, "\nlast lines of its journal:")
		for _, line := range e.Journal {
			fmt.Fprintf(&b, "\n  %s", line)
		}
	}
	return b.String()
}

func (e *JobError) result() string {
	switch e.Result {
	case "dependency":
		return "failed because a unit that it requires failed"
	case "timeout":
		return "timed out"
	case "canceled":
		return "was canceled by another job"
	case "skipped":
		return "was skipped, a condition of the unit is not met"
	case "still waiting":
		return "is still waiting"
	}
	return e.Result
}

// describe is as in "failed (exit-code, status 1, 5 restarts)".
func (u Unit) describe() string {
	state := u.ActiveState
	if state == "" {
		state = "in an unknown state"
	}
	var more []string
	if u.LoadState != "" && u.LoadState != "loaded" {
		more = append(more, u.LoadState)
	}
	if u.SubState != "" && u.SubState != u.ActiveState {
		more = append(more, u.SubState)
	}
	if u.Result != "" && u.Result != "success" {
		more = append(more, u.Result)
	}
	if u.ExecMainStatus != 0 {
		more = append(more, fmt.Sprintf("status %d", u.ExecMainStatus))
	}
	switch {
	case u.NRestarts == 1:
		more = append(more, "1 restart")
	case u.NRestarts > 1:
		more = append(more, fmt.Sprintf("%d restarts", u.NRestarts))
	}
	if len(more) == 0 {
		return state
	}
	return state + " (" + strings.Join(more, ", ") + ")"
}

// Unwrap returns context.DeadlineExceeded when the caller's time was up, nil for every other reason.
func (e *JobError) Unwrap() error { return e.cause }
