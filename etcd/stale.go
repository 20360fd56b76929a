package etcd

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Works says whether a member answers at one of its client URLs and knows a leader.
func (c *Client) Works(ctx context.Context, m Member) bool {
	_, err := c.lookAt(ctx, m)
	return err == nil
}

// Serves says whether a member takes connections at one of its client URLs: one that starts lets them wait.
func (c *Client) Serves(ctx context.Context, m Member) bool {
	ctx, cancel := context.WithTimeout(ctx, servesTime)
	defer cancel()
	return slices.ContainsFunc(m.ClientURLs, func(url string) bool { return dial(ctx, url, c.tls) == nil })
}

// servesTime is how long a handshake may take.
const servesTime = 500 * time.Millisecond

// ClearWay takes care of a learner that an earlier join left, because etcd takes no second one: it promotes one that has started,
// and removes one that has not started within wait, or that has started and does not answer: it has no vote that would be missed,
// and its machine can join again. It is for a caller that knows that no join like its own goes on; joins of kubeadm, which take no
// lock, are what wait is for. It returns what it did, for people; keep is the peer URL of the caller's own member, which is not touched.
func (c *Client) ClearWay(ctx context.Context, keep string, wait time.Duration) (done string, err error) {
	for end := time.Now().Add(wait); ; {
		members, err := c.Members(ctx)
		if err != nil {
			return "", err
		}
		n := slices.IndexFunc(members, func(m Member) bool { return m.Learner && !m.at(keep) })
		if n < 0 {
			return done, nil
		}
		m := members[n]
		if time.Now().After(end) {
			return c.clear(ctx, m)
		}
		if c.Progress != nil {
			c.Progress(fmt.Sprintf("another machine is joining etcd: %s", m))
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(min(time.Second, wait/4+time.Millisecond)):
		}
	}
}

func (c *Client) clear(ctx context.Context, m Member) (string, error) {
	url := m.PeerURLs[0]
	if !m.Started() {
		if err := c.RemoveStale(ctx, url); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s was added by a join that did not go on, and never started; it is removed", m), nil
	}
	err := c.Promote(ctx, url, c.Progress)
	switch {
	case err == nil:
		return fmt.Sprintf("%s had joined without getting its vote; it has it now", m), nil
	case ctx.Err() != nil:
		return "", err
	case c.Works(ctx, m):
		members, _ := c.Members(ctx)
		return "", fmt.Errorf("%w\nrun join on that machine again, or give its member up: %s", err, removal(members, m))
	}
	if err := c.Leave(ctx, url); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s had joined without getting its vote, and does not answer; it is removed: join again on its machine", m), nil
}
