package preflight

import (
	"context"
	"fmt"
	"time"
)

const (
	// backdate is by how much certificates are dated back, those that kubewright makes and those of the controller manager.
	backdate = 5 * time.Minute
	// noticeable is a difference between clocks that is worth a word.
	noticeable = 30 * time.Second
)

// clocks compares this machine's clock with the API server's: a certificate that one of them makes must be valid at once for the
// other. It has no namesake in kubeadm.
func (i *initChecks) clocks(context.Context) []Finding {
	ahead := i.join.Skew
	if ahead.Abs() < noticeable {
		return nil
	}
	here, direction := i.m.Host.Time(), "behind"
	if ahead < 0 {
		direction = "ahead of"
	}
	text := fmt.Sprintf("this machine's clock is %.0f seconds %s the API server's: here it is %s, there %s", ahead.Abs().Seconds(), direction,
		here.UTC().Format(time.RFC3339), here.Add(ahead).UTC().Format(time.RFC3339))
	hint := "set the clock of the one that is wrong, as with: timedatectl set-ntp true"
	switch {
	case i.join.Signs && ahead < -backdate:
		return failed(text+"; the certificates that are made here would not be valid there yet", hint)
	case !i.join.Signs && ahead > backdate:
		return failed(text+"; the certificate that the cluster makes for the kubelet would not be valid here yet", hint)
	}
	return warned(text, hint)
}
