package systemd

import (
	"context"
	"slices"

	"github.com/coreos/go-systemd/v22/dbus"
)

// maxBlockers bounds the names in BlockedBy.
const maxBlockers = 10

// blockers returns the units whose jobs must end before the job of name can run, those it waits for itself first, then those
// that these wait for. waitsFor returns the units that a job is ordered after.
func blockers(name string, jobs []dbus.JobStatus, waitsFor func(dbus.JobStatus) []string) []string {
	byUnit := map[string]dbus.JobStatus{}
	for _, j := range jobs {
		byUnit[j.Unit] = j
	}
	var found []string
	for todo := []string{name}; len(todo) > 0 && len(found) < maxBlockers; todo = todo[1:] {
		j, ok := byUnit[todo[0]]
		if !ok || j.Status == "running" {
			continue // it waits for nobody
		}
		for _, other := range slices.Sorted(slices.Values(waitsFor(j))) {
			if _, queued := byUnit[other]; queued && other != name && !slices.Contains(found, other) {
				found = append(found, other)
				todo = append(todo, other)
			}
		}
	}
	return found
}

// waitsFor follows systemd's order: units stop in the reverse of the order in which they start (systemd.unit(5)).
// A unit that starts also waits for those it comes after that are just being stopped.
func (m *manager) waitsFor(ctx context.Context, j dbus.JobStatus) []string {
	props, err := m.GetAllPropertiesContext(ctx, j.Unit)
	if err != nil {
		return nil
	}
	if j.JobType == "stop" {
		return property[[]string](props, "Before")
	}
	return property[[]string](props, "After")
}
