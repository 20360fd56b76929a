package cmd

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// spinner is the last line of a terminal: the phase that runs, for how long, and what it waits for.
// A nil spinner does nothing.
type spinner struct {
	w     io.Writer
	mu    sync.Mutex
	phase string
	note  string
	since time.Time
	shown bool
	quit  chan struct{}
}

const spinnerEvery = 120 * time.Millisecond

func newSpinner(w io.Writer) *spinner {
	s := &spinner{w: w, quit: make(chan struct{})}
	go s.loop()
	return s
}

func (s *spinner) loop() {
	tick := time.NewTicker(spinnerEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-s.quit:
			return
		case <-tick.C:
			s.draw(n)
		}
	}
}

func (s *spinner) draw(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	took := time.Since(s.since)
	if s.phase == "" || took < 300*time.Millisecond {
		return
	}
	text := fmt.Sprintf("%s    %-20s %6.1fs  %s", string(`|/-\`[n%4]), s.phase, took.Seconds(), s.note)
	if r := []rune(text); len(r) > 110 {
		text = string(r[:109]) + "…"
	}
	fmt.Fprintf(s.w, "\r\x1b[2K%s", text)
	s.shown = true
}

func (s *spinner) start(phase string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase, s.note, s.since = phase, "", time.Now()
}

func (s *spinner) status(note string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note = note
}

func (s *spinner) end() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = ""
}

// clear wipes the line, so that something else can be printed.
func (s *spinner) clear() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[2K")
		s.shown = false
	}
}

func (s *spinner) stop() {
	if s == nil {
		return
	}
	s.end()
	s.clear()
	close(s.quit)
}
