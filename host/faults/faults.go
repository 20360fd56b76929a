// Package faults is for tests on real machines: it ends the process at an exact point, as kill -9 does. Only a kubewright that was
// built with the tag "faults" has it.
package faults

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The environment of the process says what is to happen.
const (
	// At names the point: see Parse.
	At = "KUBEWRIGHT_FAULT"
	// Log names a file that gets a line for each operation, before it begins: "137 <time> rename /etc/kubernetes/admin.conf"; the last
	// one of a process that was ended here is "137 <time> killed".
	Log = "KUBEWRIGHT_FAULT_LOG"
)

// Point is a moment in the life of a process: before one of the operations that host.Host tells its hook of, or a while after that.
type Point struct {
	// N counts the operations, from 1. With 0, it is the first one of Op and Path.
	N        int
	Op, Path string
	After    time.Duration
}

// Parse reads "kill@137", "kill@137+80ms", "kill@rename:/etc/kubernetes/admin.conf" or the same with a time.
func Parse(text string) (Point, error) {
	wrong := fmt.Errorf("cannot read %s: %q is not like kill@137+80ms or kill@rename:/path", At, text)
	where, ok := strings.CutPrefix(text, "kill@")
	if !ok {
		return Point{}, wrong
	}
	var p Point
	if i := strings.LastIndex(where, "+"); i >= 0 {
		if after, err := time.ParseDuration(where[i+1:]); err == nil && after >= 0 {
			p.After, where = after, where[:i]
		}
	}
	if n, err := strconv.Atoi(where); err == nil && n > 0 {
		p.N = n
		return p, nil
	}
	if p.Op, p.Path, ok = strings.Cut(where, ":"); !ok || p.Op == "" || !strings.HasPrefix(p.Path, "/") {
		return Point{}, wrong
	}
	return p, nil
}

// String is what Parse reads.
func (p Point) String() string {
	text := fmt.Sprintf("kill@%d", p.N)
	if p.N == 0 {
		text = "kill@" + p.Op + ":" + p.Path
	}
	if p.After > 0 {
		text += "+" + p.After.String()
	}
	return text
}

// Hook counts operations for host.Host.Fault.
type Hook struct {
	// Log may be nil.
	Log *os.File
	// Point may be nil: then the process lives.
	Point *Point
	// Kill ends the process.
	Kill func()

	mu   sync.Mutex
	n    int
	past bool // the point is reached
}

// FromEnvironment is what the environment asks for; nil for nothing.
func FromEnvironment(getenv func(string) string) (*Hook, error) {
	h := &Hook{Kill: killMe}
	if text := getenv(At); text != "" {
		p, err := Parse(text)
		if err != nil {
			return nil, err
		}
		h.Point = &p
	}
	if path := getenv(Log); path != "" {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("cannot open the log of operations: %w", err)
		}
		h.Log = f
	}
	if h.Point == nil && h.Log == nil {
		return nil, nil
	}
	return h, nil
}

// Fault is a hook of host.Host.
func (h *Hook) Fault(op, path string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	h.log(op + " " + path)
	p := h.Point
	if p == nil || h.past || p.N != h.n && (p.N != 0 || p.Op != op || p.Path != path) {
		return nil
	}
	h.past = true
	if p.After == 0 {
		h.end()
		return nil
	}
	time.AfterFunc(p.After, func() {
		h.mu.Lock() // no operation begins any more
		defer h.mu.Unlock()
		h.end()
	})
	return nil
}

func (h *Hook) end() {
	h.log("killed")
	h.Kill()
}

func (h *Hook) log(what string) {
	if h.Log != nil {
		fmt.Fprintf(h.Log, "%d %s %s\n", h.n, time.Now().UTC().Format(time.RFC3339Nano), what)
	}
}

func killMe() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}
