package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// limit is the time that a check gets when it does not say.
	limit = 20 * time.Second
	// kubeletLimit is the time that checks get which ask the kubelet for its version: read from a cold disk, on an emulated machine
	// that has just booted a control plane, it needs more than 20 seconds.
	kubeletLimit = time.Minute
	// grace is the time that a check gets to say what it was waiting for, after its context ended.
	grace = time.Second
)

// Run makes the checks, all at the same time but for the gates, and returns the findings in the order of the checks. ignore
// holds names of checks whose errors do not count, in any letter case, or "all". A check that does not end within its limit,
// which it should have, gives a warning and is left behind.
func Run(ctx context.Context, checks []Check, ignore []string) *Report {
	found := make([][]Finding, len(checks))
	round := func(gates bool) *Report {
		var group sync.WaitGroup
		for i, check := range checks {
			if check.Gate == gates {
				group.Go(func() { found[i] = bounded(ctx, check) })
			}
		}
		group.Wait()
		report := &Report{}
		for i, check := range checks {
			report.add(found[i], Ignores(ignore, check.Name))
		}
		return report
	}
	if report := round(true); len(report.Errors) > 0 {
		return report
	}
	return round(false)
}

// bounded makes one check and does not wait for it much longer than its limit.
func bounded(ctx context.Context, check Check) []Finding {
	own := cmp.Or(check.Limit, limit)
	ctx, cancel := context.WithTimeout(ctx, own)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() { done <- check.Find(ctx) }()
	var found []Finding
	select {
	case found = <-done:
	case <-ctx.Done():
		select {
		case found = <-done:
		case <-time.After(grace):
			found = unfinished(ctx, own)
		}
	}
	for i := range found {
		found[i].Check = check.Name
	}
	return found
}

// unfinished is what is known about a check that did not end. That a check is slow says nothing about the machine; that the
// user stopped it must not look as if it had passed.
func unfinished(ctx context.Context, limit time.Duration) []Finding {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return warned(fmt.Sprintf("the check did not end within %s: its result is not known", limit), "")
	}
	return failed("the check was interrupted", "")
}
