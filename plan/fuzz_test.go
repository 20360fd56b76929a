package plan_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/plan"
)

const journalSeed = `{"run":{"command":"init","version":"v1","time":"2026-11-24T12:00:00Z"}}
{"n":1,"time":"2026-11-24T12:00:00Z","phase":"certs","step":"file /a","kind":"create","before":{"file":{"path":"/etc/a/b","absent":true,"above":"/etc/a"}}}
{"done":{"n":1,"seconds":0.1}}
{"n":2,"kind":"update","before":{"file":{"path":"/etc/b","mode":384,"blob":"0002.before"}}}
{"n":4,"kind":"update","before":{"unit":{"name":"kubelet.service","enabled":true,"running":false}}}
{"ended":{"phase":"certs","seconds":1,"changes":2}}
{"n":5,"kind":"create","before":{"object":{"apiVersion":"v1","kind":"Secret","name":"s","absent":true}}}
{"n":6,"kind":"do","final":true}
{"end":{"result":"done","time":"2026-11-24T12:00:01Z"}}
`

// readJournal reads a journal with this text.
func readJournal(t *testing.T, h *host.Host, text []byte) ([]plan.PastRun, error) {
	t.Helper()
	dir := filepath.Join(h.Root, plan.RunsDir, "20261124T120000.000Z-init")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "journal.jsonl"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return plan.History(h)
}

// Whatever is in a journal, it is read or refused. What is read is a list of changes that can be worked with, and a journal whose
// end was cut off tells of the same changes, less those that are gone.
func FuzzHistory(f *testing.F) {
	f.Add([]byte(journalSeed), uint(0))
	for at := 1; at < len(journalSeed); at += 61 {
		f.Add([]byte(journalSeed), uint(at))
	}
	f.Add([]byte("null\n{}\n"), uint(3))
	f.Add([]byte(`{"n":1,"kind":"update","before":{"file":{"path":"/a","blob":"../../x"}}}`), uint(9))
	f.Add(append([]byte(journalSeed), make([]byte, 4096)...), uint(1))
	h := &host.Host{Root: f.TempDir()}
	f.Fuzz(func(t *testing.T, text []byte, cut uint) {
		runs, err := readJournal(t, h, text)
		if err != nil {
			if !strings.Contains(err.Error(), "journal.jsonl") {
				t.Errorf("the error does not name the journal: %v", err)
			}
			return
		}
		if len(runs) != 1 {
			t.Fatalf("%d runs", len(runs))
		}
		last := 0
		for _, r := range runs[0].Records {
			if r.N <= last {
				t.Fatalf("record %d follows %d", r.N, last)
			}
			last = r.N
			if r.Before != nil && r.Before.File != nil && !filepath.IsAbs(r.Before.File.Path) {
				t.Fatalf("record %d is of %q", r.N, r.Before.File.Path)
			}
		}
		plan.OriginOf(runs)
		plan.Last(runs, "rollback")
		_, _ = plan.Reverse(h, runs)
		shorter, err := readJournal(t, h, text[:len(text)-int(cut%uint(len(text)+1))])
		if err != nil {
			t.Fatalf("cut off: %v", err)
		}
		if n := len(shorter[0].Records); n > len(runs[0].Records) || n > 0 && !reflect.DeepEqual(shorter[0].Records, runs[0].Records[:n]) {
			t.Errorf("a journal that was cut off tells of other changes:\n%+v\n%+v", shorter[0].Records, runs[0].Records)
		}
	})
}

// What is no line of a journal is not taken for one, wherever it is.
func TestHistoryDamaged(t *testing.T) {
	for _, bad := range []string{
		"{}", "null", "[]", `{"later":{"n":7}}`, `{"n":-1,"kind":"create"}`, `{"n":1,"kind":"create"}`, `{"done":{"n":9}}`, "\x00\x00",
		`{"n":7,"before":{}}`, `{"n":7,"before":{"file":{"path":"a"}}}`, `{"n":7,"before":{"file":{"path":"/a/../b"}}}`,
		`{"n":7,"before":{"file":{"path":"/a","blob":"../../etc/shadow"}}}`, `{"n":7,"before":{"unit":{}}}`,
		`{"n":7,"before":{"file":{"path":"/a","absent":true,"above":"/"}}}`, `{"n":7,"before":{"file":{"path":"/a/b","above":"/b"}}}`,
		`{"n":7,"end":{"result":"done"}}`, `{"n":7,"before":{"unit":{"name":"a"},"file":{"path":"/a"}}}`,
	} {
		h := &host.Host{Root: t.TempDir()}
		if runs, err := readJournal(t, h, []byte(journalSeed+bad+"\n"+`{"end":{"result":"done"}}`+"\n")); err == nil {
			t.Errorf("%s was read as %+v", bad, runs)
		}
	}
	h := &host.Host{Root: t.TempDir()}
	runs, err := readJournal(t, h, bytes.Join([][]byte{[]byte(journalSeed), make([]byte, 300)}, nil))
	if err != nil || len(runs) != 1 || len(runs[0].Records) != 5 {
		t.Errorf("with zeros at the end: %+v, %v", runs, err)
	}
}
