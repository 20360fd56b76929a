package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// Leave takes a member out of the cluster, given by its peer URL or its hexadecimal ID. It returns nil when there is no such member
// (any more). It refuses when the others would have no quorum, see QuorumWithout; for the only voting member errors.Is finds
// ErrOnlyMember. A leader hands the lead over first. The client should know more endpoints than that of the member that leaves:
// see OpenCluster.
func (c *Client) Leave(ctx context.Context, member string) error {
	return c.remove(ctx, member, func(Member) error { return nil })
}

// Leave takes the own member out through the others, whatever Refusal says, and never through its own endpoint: it ends as soon as
// it is removed. It waits up to 15 seconds for trouble that may pass, and tells progress, which may be nil. Without a member it
// returns nil; for the only voting one errors.Is finds ErrOnlyMember.
func (k Known) Leave(ctx context.Context, s Standing, progress func(string)) error {
	if s.Self == nil {
		return nil
	}
	if s.Last() {
		return fmt.Errorf("cannot take %s out of its cluster: %w", s.Self, ErrOnlyMember)
	}
	c, err := Open(Endpoints(s.Others), k.CA, k.Cert, k.Key)
	if err != nil {
		return err
	}
	defer c.Close()
	c.Progress = progress
	return c.Leave(ctx, s.Self.hexID())
}

// Gone says whether the others have no such member any more. Without a member, and without others that vote, it is so.
func (k Known) Gone(ctx context.Context, s Standing) (bool, error) {
	if s.Self == nil || len(voters(s.Others)) == 0 {
		return true, nil
	}
	c, err := Open(Endpoints(s.Others), k.CA, k.Cert, k.Key)
	if err != nil {
		return false, err
	}
	defer c.Close()
	members, _, err := c.agreed(ctx)
	if err != nil {
		return false, fmt.Errorf("cannot see whether %s is gone: %w", s.Self, err)
	}
	_, found := find(members, s.Self.hexID())
	return !found, nil
}

// RemoveStale is Leave for a member that has never started; it refuses any other one. Nobody but the user can know whether the
// machine in question is about to start it.
func (c *Client) RemoveStale(ctx context.Context, member string) error {
	return c.remove(ctx, member, func(m Member) error {
		if m.Started() {
			return errors.New("it has started before, and may hold data: run reset on its machine")
		}
		return nil
	})
}

func (c *Client) remove(ctx context.Context, member string, allow func(Member) error) error {
	err := c.newWaiter(c.Progress).until(ctx, func() error { return c.removeOnce(ctx, member, allow) })
	if err != nil {
		return fmt.Errorf("cannot remove etcd member %s: %w", member, err)
	}
	return nil
}

// removeOnce tries once. An obstacle is worth another try.
func (c *Client) removeOnce(ctx context.Context, member string, allow func(Member) error) error {
	members, looks, err := c.agreed(ctx)
	if err != nil {
		return err
	}
	m, found := find(members, member)
	if !found {
		return nil
	}
	if err := allow(m); err != nil {
		return err
	}
	if err := c.quorumWithout(ctx, members, m.ID); errors.Is(err, ErrOnlyMember) {
		return err
	} else if err != nil {
		return c.unsettled(err)
	}
	if err := c.guard(); err != nil {
		return err
	}
	c.handOver(ctx, m, looks)
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = c.client.MemberRemove(short, m.ID)
	switch {
	case err == nil, errors.Is(err, rpctypes.ErrMemberNotFound):
		return nil
	case errors.Is(err, rpctypes.ErrMemberNotEnoughStarted), transient(err): // transient includes etcd's "unhealthy"
		return c.unsettled(plain(err))
	}
	return plain(err)
}

// handOver makes another member that works the leader when m is. It is a courtesy: without it writes stop until the others notice
// that their leader is gone and elect another one, so a failure is no error.
func (c *Client) handOver(ctx context.Context, m Member, looks []look) {
	var heir *look
	leads := false
	for n, l := range looks {
		switch {
		case !working(l):
		case l.member.ID == m.ID:
			leads = l.status.Leader == m.ID
		case heir == nil && !l.member.Learner:
			heir = &looks[n]
		}
	}
	if !leads || heir == nil {
		return
	}
	leader, err := open(m.ClientURLs, c.tls) // only the leader itself can do it
	if err != nil {
		return
	}
	defer leader.Close()
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, _ = leader.client.MoveLeader(short, heir.member.ID)
}
