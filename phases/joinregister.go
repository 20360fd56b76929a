package phases

import (
	"context"
	"sync"
	"time"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// registerSoon is how long this machine's API server may serve while the kubelet has not registered its node.
const registerSoon = 300 * time.Millisecond

// letRegister restarts the kubelet, once, if it does not register its node soon after this machine's API server serves. One that has
// asked in vain makes pauses that double, from 0.2 s to seven; one that starts asks at once. A kubelet that runs for longer than
// startSoon is let be: on a machine that is slower, such a pause makes no difference. ctx ends when the node
// is registered. What is wrong with the kubelet is not for this to say.
func letRegister(ctx context.Context, t *plan.Target, serves func(context.Context) error) (restarted bool) {
	started := kubeletStarted(ctx, t)
	if started.IsZero() {
		return false
	}
	var serving time.Time
	for ctx.Err() == nil && t.Host.Time().Sub(started) < startSoon {
		switch err := serves(ctx); {
		case err != nil:
			serving = time.Time{}
		case serving.IsZero():
			serving = time.Now()
		case time.Since(serving) > registerSoon:
			_ = t.Systemd.Restart(ctx, config.KubeletService) // its unit is looked at by those who wait
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(serveEvery):
		}
	}
	return false
}

// besideRegistration lets the kubelet register while that is waited for.
func besideRegistration(await func(context.Context, *plan.Target) error, serves func(context.Context) error) func(context.Context, *plan.Target) error {
	restarted := false // where the wait begins again, once is enough
	return func(ctx context.Context, t *plan.Target) error {
		ctx, cancel := context.WithCancel(ctx)
		var beside sync.WaitGroup
		if !restarted {
			beside.Go(func() { restarted = letRegister(ctx, t, serves) })
		}
		err := await(ctx, t)
		cancel()
		beside.Wait()
		return err
	}
}
