package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// Promote waits until the learner with this peer URL has the data of the others, and makes it a voting member; nil when it is
// one already. It has no time limit but ctx's, and gives up after two minutes without progress: not started, or not less
// behind than before. progress may be nil; it is told what is being waited for, as often as that changes.
func (c *Client) Promote(ctx context.Context, peerURL string, progress func(string)) error {
	err := c.newWaiter(progress).until(ctx, func() error { return c.promote(ctx, peerURL) })
	if err != nil {
		return fmt.Errorf("cannot make etcd member %s a voting member: %w", peerURL, err)
	}
	return nil
}

// promote tries once. An obstacle is worth another try.
func (c *Client) promote(ctx context.Context, peerURL string) error {
	members, _, err := c.agreed(ctx)
	if err != nil {
		return err
	}
	m, found := find(members, peerURL)
	switch {
	case !found:
		return errors.New("it is not a member: somebody has removed it; empty its data directory and join again")
	case !m.Learner:
		return nil
	case !m.Started():
		return c.late(c.learner(ctx, members, m))
	}
	if err := c.guard(); err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = c.client.MemberPromote(short, m.ID)
	switch {
	case err == nil, errors.Is(err, rpctypes.ErrMemberNotLearner):
		return nil
	case errors.Is(err, rpctypes.ErrMemberLearnerNotReady):
		return c.late(c.learner(ctx, members, m))
	case errors.Is(err, rpctypes.ErrMemberNotFound), errors.Is(err, rpctypes.ErrMemberNotEnoughStarted), transient(err):
		return c.late(c.unsettled(plain(err))) // the next list shows what became of it
	}
	return plain(err)
}

// late gives our own learner the patience of a long copy, and says where to look.
func (c *Client) late(o *obstacle) *obstacle {
	o.patience = c.stall()
	o.mend = "look into the log of etcd on that machine (crictl ps -a --name etcd; crictl logs <id>), then join again"
	return o
}
