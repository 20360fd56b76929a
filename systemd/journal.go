package systemd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// journalctl reads the journal with the program of that name: the library for it needs cgo. Its absence means that there is
// no journal to read.
func journalctl(ctx context.Context, name string, since time.Time, n int) ([]Line, error) {
	path, err := exec.LookPath("journalctl")
	if errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal of %s: %w", name, err)
	}
	args := []string{"-u", name, "-n", strconv.Itoa(n), "-o", "short-unix", "--no-hostname", "--no-pager", "--quiet"}
	if !since.IsZero() {
		args = append(args, fmt.Sprintf("--since=@%d.%06d", since.Unix(), since.Nanosecond()/1000))
	}
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, path, args...)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("cannot read the journal of %s: %w: %s", name, err, strings.TrimSpace(errs.String()))
	}
	return journalLinesOf(out.String()), nil
}

// journalLinesOf takes apart the format short-unix: seconds since the epoch, who wrote it, a colon, the text. A text of several lines
// goes on in lines that begin with spaces, and belong to the same moment.
func journalLinesOf(text string) []Line {
	var lines []Line
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		stamp, rest, _ := strings.Cut(line, " ")
		at, ok := unixTime(stamp)
		_, said, found := strings.Cut(rest, ": ")
		switch {
		case ok && found:
			lines = append(lines, Line{at, said})
		case len(lines) > 0 && strings.TrimSpace(line) != "":
			lines = append(lines, Line{lines[len(lines)-1].At, strings.TrimSpace(line)})
		}
	}
	return lines
}

// unixTime reads seconds with a fraction of six digits.
func unixTime(text string) (time.Time, bool) {
	seconds, micros, found := strings.Cut(text, ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	us, fraction := strconv.ParseInt(micros, 10, 64)
	return time.Unix(s, us*1000), found && len(micros) == 6 && err == nil && fraction == nil
}
