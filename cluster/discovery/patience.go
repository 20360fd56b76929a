package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	firstPause = 100 * time.Millisecond
	longPause  = 2 * time.Second
)

// unreachable is the kind of trouble that nobody answers.
const unreachable = "unreachable"

// passing is an error that may go away by itself.
type passing struct {
	error
	// kind tells which errors are the same trouble, and patience how long that is waited for since it first showed.
	kind     string
	patience time.Duration
}

func (e *passing) Unwrap() error { return e.error }

func (o Options) later(kind string, patience time.Duration, err error) error {
	return &passing{error: err, kind: kind, patience: patience}
}

// patiently tries until it works, an error is final or has been there for too long, or time is up. Every kind of trouble has its
// own patience, so that a control plane that comes up step by step is not given up halfway. Many machines may join at once:
// their pauses differ.
func patiently(ctx context.Context, o Options, try func(context.Context) (*Found, error)) (*Found, error) {
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	began, told := map[string]time.Time{}, ""
	var last error
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		tried := time.Now()
		found, err := try(bounded)
		if err == nil {
			return found, nil
		}
		if last == nil || bounded.Err() == nil {
			last = err // once time is up, the error says only that
		}
		var trouble *passing
		if !errors.As(last, &trouble) {
			return nil, last
		}
		since, seen := began[trouble.kind]
		if !seen {
			if since = time.Now(); trouble.kind == unreachable {
				since = tried // the try has been patient itself
			}
			began[trouble.kind] = since
		}
		if time.Since(since) >= trouble.patience {
			return nil, last
		}
		if line, _, _ := strings.Cut(last.Error(), "\n"); o.Progress != nil && line != told {
			told = line
			o.Progress(line)
		}
		if !sleep(bounded, min(pause/2+rand.N(pause), trouble.patience-time.Since(since)+time.Millisecond)) {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("%w: %w", context.Cause(ctx), last)
			}
			return nil, last
		}
	}
}

// sleep says whether ctx still goes on after it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
