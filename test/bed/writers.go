package bed

import (
	"bytes"
	"io"
	"sync"
)

// lockedWriter lets several commands write to one place.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// prefixWriter puts a prefix before each line. It passes whole lines on, so that those of several machines do not mix.
type prefixWriter struct {
	w      io.Writer
	prefix string
	begun  []byte // of a line
}

func (p *prefixWriter) Write(data []byte) (int, error) {
	p.begun = append(p.begun, data...)
	for {
		line, rest, whole := bytes.Cut(p.begun, []byte("\n"))
		if !whole {
			return len(data), nil
		}
		p.begun = rest
		if _, err := io.WriteString(p.w, p.prefix+string(line)+"\n"); err != nil {
			return 0, err
		}
	}
}

// flush passes on a last line without an end.
func (p *prefixWriter) flush() {
	if len(p.begun) > 0 {
		p.Write([]byte("\n")) //nolint:errcheck // it is a log
	}
}
