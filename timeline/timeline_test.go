package timeline_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/timeline"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// example is a run with what can happen: lanes that are named again, marks out of order, what ends after the run.
func example() *timeline.Timeline {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	r := timeline.Record("kubewright init <x>", began)
	r.Span("phases", "preflight", at(0), at(120))
	r.Span("phases", "wait-control-plane", at(200), at(5200))
	r.Mark("kube-apiserver", "ready", at(4100))
	r.Mark("kube-apiserver", "live", at(3300))
	r.Mark("kube-apiserver", "live", at(9000))
	r.Span("phases", "addon & more", at(5200), at(6400))
	r.Mark("node", "registered", at(7000))
	return r.End(at(6500))
}

func TestRecorder(t *testing.T) {
	got := example()
	want := []timeline.Lane{
		{Name: "phases", Spans: []timeline.Span{{"preflight", 0, 0.12}, {"wait-control-plane", 0.2, 5.2}, {"addon & more", 5.2, 6.4}}},
		{Name: "kube-apiserver", Marks: []timeline.Mark{{"live", 3.3}, {"ready", 4.1}}},
		{Name: "node", Marks: []timeline.Mark{{"registered", 7}}},
	}
	if diff := cmp.Diff(want, got.Lanes); diff != "" || got.Seconds != 6.5 {
		t.Errorf("%v s %s", got.Seconds, diff)
	}
}

func TestGolden(t *testing.T) {
	one := example()
	two := timeline.Record("kubeadm init", one.Began).End(one.Began.Add(20 * time.Second))
	svg, err := timeline.SVG(one, two)
	if err != nil {
		t.Fatal(err)
	}
	text, err := one.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"timeline.svg": svg, "timeline.json": text} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
	}
}

// TestNothing draws runs in which nothing happened.
func TestNothing(t *testing.T) {
	for _, list := range [][]*timeline.Timeline{nil, {{}}, {{Lanes: []timeline.Lane{{Name: "x"}}}}} {
		if svg, err := timeline.SVG(list...); err != nil || !strings.HasSuffix(string(svg), "</svg>\n") {
			t.Errorf("%v: %v\n%s", list, err, svg)
		}
	}
}
