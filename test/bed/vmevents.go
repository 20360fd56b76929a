package bed

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// runEvent is one line of kubewright -o json.
type runEvent struct{ Event, Phase, Step, Change, Why, Message string }

// waits says that the step is a wait: not wrong, only not there at once.
func waits(e runEvent) bool { return strings.HasPrefix(e.Step, "wait until ") }

// seenEvents is what a run of kubewright -o json found.
type seenEvents struct {
	same    int      // steps that were right already
	waits   []string // "wait until ...": not wrong, only not there at once
	changes []string // everything else
}

// readEvents reads the lines of a run that went well.
func readEvents(text string) (seenEvents, error) {
	var seen seenEvents
	ended := false
	for dec := json.NewDecoder(strings.NewReader(text)); ; {
		var e runEvent
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return seen, err
		}
		ended = ended || e.Event == "result"
		if e.Event != "step" {
			continue
		}
		why := ""
		if e.Why != "" {
			why = ": " + e.Why
		}
		switch {
		case e.Change == "same":
			seen.same++
		case waits(e):
			seen.waits = append(seen.waits, e.Step+why)
		default:
			seen.changes = append(seen.changes, e.Phase+": "+e.Change+" "+e.Step+why)
		}
	}
	if !ended {
		return seen, errors.New("there is no result: it was cut off")
	}
	return seen, nil
}

// eventWriter calls got for each event that is written, at once. What is no event is passed over.
type eventWriter struct {
	got  func(runEvent)
	rest []byte
}

func (w *eventWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.rest = rest
		var e runEvent
		if json.Unmarshal(line, &e) == nil && e.Event != "" {
			w.got(e)
		}
	}
}
