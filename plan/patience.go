package plan

import "time"

// patience remembers what a wait has seen, and when something moved.
type patience struct {
	stall time.Duration
	last  Watched
	// moved is when there was progress, signs when there was that or a sign of it.
	moved, signs time.Time
}

// note takes in what was seen.
func (p *patience) note(now Watched) {
	switch {
	case now.Progress != p.last.Progress:
		p.moved, p.signs = time.Now(), time.Now()
	case now.Signs != p.last.Signs:
		p.signs = time.Now()
	}
	p.last = now
}

// exhausted says that waiting longer makes no sense.
func (p *patience) exhausted() bool {
	return time.Since(p.signs) > p.stall || time.Since(p.moved) > signsFor*p.stall
}

// status is one line: what is seen, and what the probe says.
func (p *patience) status(probe error) string {
	if p.last.Status == "" {
		return firstLine(probe)
	}
	return p.last.Status + ": " + firstLine(probe)
}

// explain is what was seen last, on lines of its own below the error.
func (p *patience) explain() string {
	if p.last.Status == "" {
		return p.last.Detail
	}
	return "\n" + p.last.Status + p.last.Detail
}
