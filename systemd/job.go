package systemd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// stillWaiting is the Result of a job that this package gave up to wait for. The job itself stays queued.
const stillWaiting = "still waiting"

// errCut ends a wait for a job of which nobody tells any more.
var errCut = errors.New("the connection to systemd was cut, as when it is started again; its job may go on\nrun the same command again")

// detailTime bounds the look at what went wrong, in JobError.
const detailTime = 5 * time.Second

// journalLines is how many journal lines a JobError has.
const journalLines = 10

type starter func(ctx context.Context, name, mode string, ch chan<- string) (int, error)

func (m *manager) Start(ctx context.Context, name string) error {
	return m.activate(ctx, "start", name, m.StartUnitContext)
}

func (m *manager) Restart(ctx context.Context, name string) error {
	return m.activate(ctx, "restart", name, m.RestartUnitContext)
}

func (m *manager) activate(ctx context.Context, verb, name string, start starter) error {
	u, err := m.Unit(ctx, name)
	if err != nil {
		return err
	}
	if err := u.usable(verb); err != nil {
		return err
	}
	if u.ActiveState == "failed" || u.NRestarts > 0 {
		// A unit that hit its start limit would refuse to start for a while; and restarts of before say nothing about the
		// process that is started now.
		if err := m.ResetFailedUnitContext(ctx, name); err != nil {
			return fmt.Errorf("cannot %s %s: %w", verb, name, err)
		}
	}
	if err := m.job(ctx, verb, name, start); err != nil {
		return err
	}
	return m.settled(ctx, verb, name)
}

// settled looks at a unit for a moment after its job is done. For a simple service that is as soon as there is a process, and
// for a unit with a condition that is not met at once. systemd forgets the latter for a unit that nothing refers to, such as
// one that is not enabled; then it passes for a program that ended well.
func (m *manager) settled(ctx context.Context, verb, name string) error {
	for end := time.Now().Add(m.settle); ; time.Sleep(m.settle / 10) {
		props, err := m.GetAllPropertiesContext(ctx, name)
		if err != nil {
			return fmt.Errorf("cannot look at %s: %w", name, err)
		}
		u := newUnit(name, props)
		switch {
		case u.dead():
			return m.failure(ctx, verb, name, "failed", nil)
		case u.ActiveState == "inactive" && !property[bool](props, "ConditionResult") && property[uint64](props, "ConditionTimestamp") > 0:
			return m.failure(ctx, verb, name, "skipped", nil)
		case !time.Now().Before(end):
			return nil
		}
	}
}

// dead says whether the process of a unit that was just started never ran, or ended for good. One that ended and waits for
// its next try may still get well, except when systemd could not even execute it: that is what a status from 200 on means
// (systemd.exec(5)).
func (u Unit) dead() bool {
	return u.ActiveState == "failed" || u.SubState == "auto-restart" && u.ExecMainStatus >= 200 && u.ExecMainStatus < 250
}

// Stop is content with a unit that is not there. How a unit ended that was told to, or before that, is forgotten: it is not failed.
func (m *manager) Stop(ctx context.Context, name string) error {
	u, err := m.Unit(ctx, name)
	if err != nil {
		return err
	}
	if u.LoadState == "not-found" && u.ActiveState == "inactive" {
		return nil
	}
	if err := m.job(ctx, "stop", name, m.StopUnitContext); err != nil {
		return err
	}
	if u, err = m.Unit(ctx, name); err != nil || u.ActiveState != "failed" {
		return err
	}
	return m.ResetFailedUnitContext(ctx, name)
}

// job queues a job and waits for its result.
func (m *manager) job(ctx context.Context, verb, name string, start starter) error {
	done := make(chan string, 1)
	id, err := start(ctx, name, "replace", done)
	if err != nil {
		return fmt.Errorf("cannot %s %s: %w", verb, name, err)
	}
	result, err := m.wait(ctx, verb, name, uint32(id), done)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errCut):
		return fmt.Errorf("cannot %s %s: %w", verb, name, err)
	case err != nil:
		return m.failure(ctx, verb, name, stillWaiting, err)
	case result == "done":
		return nil
	}
	return m.failure(ctx, verb, name, result, nil)
}

// wait returns the job's result: from systemd's signal, or, should that get lost, from the list of jobs.
func (m *manager) wait(ctx context.Context, verb, name string, id uint32, done <-chan string) (string, error) {
	tick := time.NewTicker(m.tick)
	defer tick.Stop()
	last, moved, gone := "", time.Now(), 0
	for {
		select {
		case result := <-done:
			return result, nil
		case <-ctx.Done():
			return "", ctx.Err()
		case <-tick.C:
		}
		look, err := m.look(ctx, name, id)
		switch {
		case err != nil && !m.Connected():
			return "", errCut
		case err != nil: // it may be busy reading its unit files; that no more comes counts as standstill
		case look.status == "":
			if gone++; gone > 2 {
				return look.unit.resultOf(verb), nil
			}
			continue
		case look.String() != last:
			last, moved, gone = look.String(), time.Now(), 0
		}
		limit := m.stall
		if look.status == "running" {
			limit *= 2 // then systemd's own timeout applies, 90 s by default
		}
		if time.Since(moved) > limit {
			return stillWaiting, nil
		}
	}
}

// look is a job as it is now; its text differs when something moved.
type look struct {
	status string // running, waiting; empty when there is no such job any more
	unit   Unit
	ahead  []string
}

func (l look) String() string {
	return fmt.Sprint(l.status, l.unit.describe(), l.unit.MainPID, strings.Join(l.ahead, ","))
}

func (m *manager) look(ctx context.Context, name string, id uint32) (look, error) {
	jobs, err := m.ListJobsContext(ctx)
	if err != nil {
		return look{}, err
	}
	var l look
	for _, j := range jobs {
		if j.Id == id {
			l.status = j.Status
		} else {
			l.ahead = append(l.ahead, fmt.Sprint(j.Id, j.Status))
		}
	}
	l.unit, err = m.Unit(ctx, name)
	return l, err
}

// resultOf tells from the unit's state how a job ended whose signal was lost.
func (u Unit) resultOf(verb string) string {
	if u.ActiveState == "failed" || verb == "stop" && u.ActiveState != "inactive" || verb != "stop" && u.ActiveState == "inactive" {
		return "failed"
	}
	return "done"
}

// failure gathers what explains the failure. What can't be found out is left away.
func (m *manager) failure(ctx context.Context, verb, name, result string, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), detailTime)
	defer cancel()
	e := &JobError{Unit: name, Verb: verb, Result: result, cause: cause}
	e.State, _ = m.Unit(ctx, name)
	if result == stillWaiting {
		if jobs, err := m.ListJobsContext(ctx); err == nil {
			e.BlockedBy = blockers(name, jobs, func(j dbus.JobStatus) []string { return m.waitsFor(ctx, j) })
		}
	}
	lines, _ := m.journal(ctx, name, time.Time{}, journalLines)
	for _, line := range lines {
		e.Journal = append(e.Journal, line.Text)
	}
	return e
}
