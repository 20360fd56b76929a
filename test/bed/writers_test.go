package bed

import (
	"bytes"
	"io"
	"sync"
	"testing"
)

func TestPrefixWriter(t *testing.T) {
	var out bytes.Buffer
	p := &prefixWriter{w: &out, prefix: "w1: "}
	for _, part := range []string{"one\ntw", "o", "\n\nend"} {
		if n, err := io.WriteString(p, part); n != len(part) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	p.flush()
	p.flush()
	if want := "w1: one\nw1: two\nw1: \nw1: end\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestPrefixWritersDoNotMix(t *testing.T) {
	var out bytes.Buffer
	log := &lockedWriter{w: &out}
	var all sync.WaitGroup
	for _, prefix := range []string{"a ", "b "} {
		all.Go(func() {
			p := &prefixWriter{w: log, prefix: prefix}
			for range 200 {
				io.WriteString(p, "li")   //nolint:errcheck // counted below
				io.WriteString(p, "ne\n") //nolint:errcheck // counted below
			}
		})
	}
	all.Wait()
	for _, line := range []string{"a line\n", "b line\n"} {
		if n := bytes.Count(out.Bytes(), []byte(line)); n != 200 {
			t.Errorf("%d times %q, want 200", n, line)
		}
	}
}
