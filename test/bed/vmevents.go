package bed

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

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
		var e struct{ Event, Phase, Step, Change, Why string }
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
		case strings.HasPrefix(e.Step, "wait until "):
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
