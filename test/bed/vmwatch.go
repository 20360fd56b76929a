package bed

import (
	"context"
	"fmt"
	"time"
)

// watch returns a context that ends when mark has returned the same for as long as stall: nothing moves any more. An
// emulated machine is ten to twenty times slower than a real one, and how slow depends on who else uses the processors, so
// a limit on the whole would either come too early or be no limit. mark is asked every so often, and is told to hurry by its
// context.
func watch(ctx context.Context, what string, stall, every time.Duration, mark func(context.Context) string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		last, moved := mark(ctx), time.Now()
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if now := mark(ctx); now != last {
				last, moved = now, time.Now()
			} else if time.Since(moved) >= stall {
				cancel(fmt.Errorf("nothing has moved for %s while waiting for %s", stall, what))
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}
