package bed

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The same seed gives the same moments, in the order in which an init comes by them.
func TestMoments(t *testing.T) {
	for n, want := range map[int]string{
		1: "files", 2: "files wait", 5: "files files files wait wait",
		10: "files files files files files files wait wait objects addons",
	} {
		var names []string
		var texts [2]string
		for i := range texts {
			names = nil
			for _, m := range moments(n, rand.New(rand.NewPCG(3, 0))) {
				names = append(names, m.name)
				texts[i] += m.String() + "\n"
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%d: %s; want %s", n, got, want)
		}
		if diff := cmp.Diff(texts[0], texts[1]); diff != "" {
			t.Error(diff)
		}
	}
	total := 0
	for _, m := range moments(100, rand.New(rand.NewPCG(3, 0))) {
		if m.name == "files" {
			total += m.changes
		}
	}
	if total >= fileChanges {
		t.Errorf("the last cut is after %d changes of files, want less than %d", total, fileChanges)
	}
}

func TestSeen(t *testing.T) {
	const text = `{"event":"phase","phase":"preflight"}
{"event":"step","phase":"certs","step":"file a","change":"same"}
{"event":"step","phase":"certs","step":"file b","change":"create"}
{"event":"step","phase":"certs","step":"file c","change":"create"}
{"event":"phase","phase":"certs"}
{"event":"phase","phase":"kubelet-start"}
{"event":"step","phase":"wait-control-plane","step":"wait until it answers","change":"run"}
`
	for name, test := range map[string]struct {
		moment moment
		want   string
	}{
		"at once":           {moment{phases: writingPhases}, "after preflight"},
		"after one change":  {moment{phases: writingPhases, changes: 1}, "certs, after file b"},
		"after two changes": {moment{phases: writingPhases, changes: 2}, "certs, after file c"},
		"fewer than that":   {moment{phases: writingPhases, changes: 9, delay: time.Second}, "after kubelet-start"},
		"no moment":         {moment{}, "after preflight"},
		"in other phases":   {moment{phases: addonPhases, changes: 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, where := &seen{moment: test.moment}, ""
			w := &eventWriter{got: func(e runEvent) {
				if s.take(e) {
					where += s.where()
				}
			}}
			for _, part := range []string{text[:50], text[50:51], "", text[51:]} { // lines come in pieces
				if _, err := w.Write([]byte(part)); err != nil {
					t.Fatal(err)
				}
			}
			if where != test.want {
				t.Errorf("it began %q, want %q", where, test.want)
			}
			if got := s.resumed(); got != "1 right, then create file b" {
				t.Errorf("resumed: %s", got)
			}
		})
	}
}
