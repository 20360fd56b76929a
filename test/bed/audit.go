package bed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"
)

// AuditEvent is what the audit log says of one request that an API server answered.
type AuditEvent struct {
	// AuditID is the request's: a watch has two events, one when it begins and one when it ends.
	AuditID                     string
	Verb, RequestURI, UserAgent string
	User                        struct{ Username string }
	ObjectRef                   struct{ Resource, Namespace, Name, Subresource string }
	ResponseStatus              struct{ Code int }
	RequestReceivedTimestamp    time.Time
}

// Audit returns the requests to this machine's API server so far, in the order of the answers; watches are there from their
// beginning. The cluster was made with WithAudit. Requests through the load balancer are in the log of the machine that got them.
func (m *Machine) Audit() ([]AuditEvent, error) {
	data, err := os.ReadFile(m.diskPath(AuditLog))
	if err == nil {
		var events []AuditEvent
		if events, err = readAudit(data); err == nil {
			return events, nil
		}
	}
	return nil, fmt.Errorf("cannot read the audit log of %s: %w", m.Name, err)
}

// Audited is Audit for tests.
func (m *Machine) Audited(t testing.TB) []AuditEvent {
	t.Helper()
	events, err := m.Audit()
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// readAudit reads an audit log, each request once. A last line that is still being written is left out.
func readAudit(data []byte) ([]AuditEvent, error) {
	var events []AuditEvent
	seen := map[string]bool{}
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var e AuditEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		if e.AuditID != "" && seen[e.AuditID] {
			continue
		}
		seen[e.AuditID] = true
		events = append(events, e)
	}
	return events, nil
}
