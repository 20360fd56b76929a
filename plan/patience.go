package plan

import (
	"fmt"
	"strings"
	"time"
)

// patience remembers what a wait has seen, and when something moved.
type patience struct {
	stall time.Duration
	last  Watched
	// moved is when there was progress, signs when there was that or a sign of it.
	moved, signs time.Time
	// seen and heard are all progress and all signs so far: what was there before is nothing new.
	seen, heard map[string]bool
}

func newPatience(stall time.Duration) *patience {
	if stall == 0 {
		stall = 5 * time.Minute
	}
	now := time.Now()
	return &patience{stall: stall, moved: now, signs: now, seen: map[string]bool{}, heard: map[string]bool{}}
}

// note takes in what was seen.
func (p *patience) note(now Watched) {
	moved, sign := news(p.seen, now.Progress), news(p.heard, now.Signs)
	switch {
	case moved:
		p.moved, p.signs = time.Now(), time.Now()
	case sign:
		p.signs = time.Now()
	}
	p.last = now
}

// news says whether there is something in the list that is not known, and makes it known.
func news(known map[string]bool, list []string) bool {
	fresh := false
	for _, s := range list {
		fresh = fresh || !known[s]
		known[s] = true
	}
	return fresh
}

// exhausted says that waiting longer makes no sense.
func (p *patience) exhausted() bool {
	return time.Since(p.signs) > p.stall || time.Since(p.moved) > signsFor*p.stall
}

// still says for how long nothing has moved.
func (p *patience) still() string {
	if time.Since(p.signs) > p.stall {
		return "nothing has moved for " + p.stall.String()
	}
	return fmt.Sprintf("but for new words in its log nothing has moved for %s", signsFor*p.stall)
}

// status is one line: what is seen, and what the probe says.
func (p *patience) status(probe error) string {
	if p.last.Status == "" {
		return firstLine(probe)
	}
	return p.last.Status + ": " + firstLine(probe)
}

// hopeless is the error of a wait that makes no sense any more. answer is the last of the probe.
func (p *patience) hopeless(what string, answer error) error {
	if p.last.Hint != "" {
		return fmt.Errorf("cannot wait until %s: %w%s\n%s", what, p.last.Hopeless, p.explain(), p.last.Hint)
	}
	return fmt.Errorf("cannot wait until %s: %w\nthe last answer: %w%s", what, p.last.Hopeless, answer, p.explain())
}

// explain is what was seen last, on lines of its own below the error.
func (p *patience) explain() string {
	text := ""
	if p.last.Status != "" && p.last.Hopeless == nil { // else the error says it
		text = "\n" + p.last.Status
	}
	if len(p.last.Log) > 0 {
		text += "\n  | " + strings.Join(p.last.Log, "\n  | ")
	}
	return text
}
