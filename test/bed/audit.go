package bed

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// AuditEvent is what the audit log says of one request that an API server answered.
type AuditEvent struct {
	Verb, RequestURI, UserAgent string
	User                        struct{ Username string }
	ObjectRef                   struct{ Resource, Namespace, Name, Subresource string }
	ResponseStatus              struct{ Code int }
	RequestReceivedTimestamp    time.Time
}

// Audited returns the requests to this machine's API server so far, in the order of the answers. The cluster was made with
// WithAudit. Requests through the load balancer are in the log of the machine that got them.
func (m *Machine) Audited(t testing.TB) []AuditEvent {
	t.Helper()
	data, err := os.ReadFile(m.diskPath(AuditLog))
	if err != nil {
		t.Fatal(err)
	}
	events, err := readAudit(data)
	if err != nil {
		t.Fatalf("cannot read the audit log of %s: %v", m.Name, err)
	}
	return events
}

// readAudit reads an audit log. A last line that is still being written is left out.
func readAudit(data []byte) ([]AuditEvent, error) {
	var events []AuditEvent
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var e AuditEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}
