package cmd

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/timeline"
)

// TestTimeline: init writes what took how long, and when each component was there.
func TestTimeline(t *testing.T) {
	m, args := newUnborn(t)
	joined(t, m, append(args, "--timeline", "/timeline.json")...)
	var got timeline.Timeline
	if err := json.Unmarshal(written(t, m, "/timeline.json"), &got); err != nil {
		t.Fatal(err)
	}
	lanes := map[string][]string{}
	for _, l := range got.Lanes {
		for _, s := range l.Spans {
			if s.From < 0 || s.To < s.From || s.To > got.Seconds {
				t.Errorf("%s: %+v of %v s", l.Name, s, got.Seconds)
			}
			lanes[l.Name] = append(lanes[l.Name], s.Name)
		}
		for _, mark := range l.Marks {
			if mark.At <= 0 || mark.At > got.Seconds+1 {
				t.Errorf("%s: %+v of %v s", l.Name, mark, got.Seconds)
			}
			lanes[l.Name] = append(lanes[l.Name], mark.Name)
		}
	}
	for lane, want := range map[string]string{"plan": "look at", "certs": "certs", "kube-apiserver": "live", "kubelet": "answers"} {
		if !slices.ContainsFunc(lanes[lane], func(name string) bool { return strings.HasPrefix(name, want) }) {
			t.Errorf("no %s in lane %s: %q", want, lane, lanes)
		}
	}
	// A second run has waited for nothing, and its picture replaces the first.
	joined(t, m, append(args, "--timeline", "/timeline.svg")...)
	if svg := string(written(t, m, "/timeline.svg")); !strings.HasPrefix(svg, "<svg") || !strings.Contains(svg, "kubewright init: ") {
		t.Errorf("no picture: %.300s", svg)
	}
}

func TestTimelineRefuses(t *testing.T) {
	m, args := newUnborn(t)
	for flags, want := range map[string]string{
		"--timeline x.png":                   "cannot write --timeline x.png: its name has to end in .svg, for a picture, or .json",
		"--timeline /nonexistent/x.svg":      "cannot write --timeline: stat /nonexistent: no such file or directory",
		"--timeline /timeline.svg --dry-run": "cannot write --timeline: a dry run waits for nothing",
	} {
		code, _, stderr := m.run(append(slices.Clone(args), strings.Fields(flags)...)...)
		if code == 0 || !strings.Contains(stderr, want) || m.host.Exists("/timeline.svg") {
			t.Errorf("%s: exit code %d\n%s", flags, code, stderr)
		}
	}
	if m.host.Exists("/etc/kubernetes/pki") {
		t.Error("something was written")
	}
}

func written(t *testing.T, m *fakeMachine, path string) []byte {
	t.Helper()
	data, err := m.host.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
