package bed

import (
	"strings"
	"testing"
)

func TestReadAudit(t *testing.T) {
	line := `{"kind":"Event","level":"Metadata","stage":"ResponseComplete","requestURI":"/api/v1/nodes/w1","verb":"get",` +
		`"user":{"username":"system:bootstrap:abcdef"},"userAgent":"kubewright/v0","objectRef":{"resource":"nodes","name":"w1"},` +
		`"responseStatus":{"code":404},"requestReceivedTimestamp":"2026-09-01T10:00:00.000001Z"}` + "\n"
	events, err := readAudit([]byte(line + line + line[:40]))
	if err != nil || len(events) != 2 {
		t.Fatalf("%d events, %v; want the two that are whole", len(events), err)
	}
	e := events[1]
	if e.Verb != "get" || e.User.Username != "system:bootstrap:abcdef" || e.ObjectRef.Name != "w1" || e.ResponseStatus.Code != 404 ||
		e.RequestReceivedTimestamp.Nanosecond() != 1000 || !strings.HasPrefix(e.UserAgent, "kubewright") {
		t.Errorf("%+v", e)
	}
	begun := `{"auditID":"a","stage":"ResponseStarted","verb":"watch"}` + "\n"
	ended := `{"auditID":"a","stage":"ResponseComplete","verb":"watch"}` + "\n"
	if events, err := readAudit([]byte(begun + line + ended)); err != nil || len(events) != 2 {
		t.Errorf("%d events, %v; want one for the watch", len(events), err)
	}
	if _, err := readAudit([]byte("no JSON\n")); err == nil {
		t.Error("no error for what is no audit log")
	}
}

// TestBedAudit lets the API server write its audit log.
func TestBedAudit(t *testing.T) {
	lab := NewLab(t)
	m := lab.Machine(t, Spec{Name: "cp1", Audit: true})
	m.WriteFile(t, "/root/init.yaml", InitConfig(m, WithAudit()), 0o600)
	m.MustRun(t, "kubewright", "init", "--config", "/root/init.yaml")
	own := 0
	for _, e := range m.Audited(t) {
		if strings.HasPrefix(e.UserAgent, "kubewright") && e.ResponseStatus.Code > 0 {
			own++
		}
	}
	if own < 5 {
		t.Errorf("the audit log has %d requests of kubewright; init makes more", own)
	}
}
