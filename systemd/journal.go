package systemd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// journalctl reads the journal with the program of that name: the library for it needs cgo. Its absence means that there is
// no journal to read.
func journalctl(ctx context.Context, name string, n int) ([]string, error) {
	path, err := exec.LookPath("journalctl")
	if errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal of %s: %w", name, err)
	}
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, path, "-u", name, "-n", strconv.Itoa(n), "-o", "cat", "--no-pager", "--quiet")
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("cannot read the journal of %s: %w: %s", name, err, strings.TrimSpace(errs.String()))
	}
	return splitLines(out.String()), nil
}

func splitLines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
