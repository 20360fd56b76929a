package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/kubewright/kubewright/cause"
)

// Join makes this machine a learner of the cluster and returns all members for etcd's --initial-cluster: each with a name, and in
// the order of their IDs as etcd does it, so the new one may come first. name and peerURL are those of this machine's member. It is
// safe to call again: a member with that peer URL is returned as it is, whether it waits for its first start, is a learner or votes
// already. A caller that has lost the data of a member that has Started must take it away with Leave first.
//
// While another machine joins, Join waits until ctx ends and tells Progress. It refuses a cluster without quorum, a learner
// that is in the way and makes no progress for two minutes, and a name that another member has. Trouble that may pass, as an
// election, is given 15 seconds.
func (c *Client) Join(ctx context.Context, name, peerURL string) ([]Member, error) {
	var members []Member
	err := c.newWaiter(c.Progress).until(ctx, func() (err error) {
		members, err = c.join(ctx, name, peerURL)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot add member %s (%s) to etcd: %w", name, peerURL, err)
	}
	return named(members, name, peerURL), nil
}

// CanJoin says why Join would not succeed, and changes nothing: no quorum, a voting member that is down, or a name that another
// member has; with replace, a dead member of that name counts as removed, as RemoveDead does it. Trouble that may pass is given
// 15 seconds. A learner in the way is for ClearWay.
func (c *Client) CanJoin(ctx context.Context, name, peerURL string, replace bool) error {
	err := c.newWaiter(c.Progress).until(ctx, func() error {
		members, looks, err := c.joinable(ctx, name, peerURL, replace)
		if err != nil {
			return err
		}
		if _, found := find(members, peerURL); found {
			return nil
		}
		if slices.ContainsFunc(looks, func(l look) bool { return l.err != nil }) {
			return c.unconnected(ctx, members, errors.New("it wants all of them"))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot add member %s (%s) to etcd: %w", name, peerURL, err)
	}
	return nil
}

// joinable lists the members, and says whether they may get this one. With replace, a dead one of its name counts as removed.
func (c *Client) joinable(ctx context.Context, name, peerURL string, replace bool) ([]Member, []look, error) {
	members, looks, err := c.agreed(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, found := find(members, peerURL); found {
		return members, looks, nil
	}
	if old := slices.IndexFunc(members, Namesake(name, peerURL)); old >= 0 {
		if !replace {
			return nil, nil, cause.Refused.Mark(c.taken(ctx, members, members[old]))
		}
		if err := cause.Refused.Mark(c.alive(ctx, members[old])); err != nil {
			return nil, nil, err
		}
		id := members[old].ID
		members = slices.Delete(members, old, old+1)
		looks = slices.DeleteFunc(looks, func(l look) bool { return l.member.ID == id })
	}
	if err := quorum(looks, healthy); err != nil {
		return nil, nil, c.unsettled(err)
	}
	return members, looks, nil
}

// join tries once. An obstacle is worth another try.
func (c *Client) join(ctx context.Context, name, peerURL string) ([]Member, error) {
	members, _, err := c.joinable(ctx, name, peerURL, false)
	if err != nil {
		return nil, err
	}
	if _, found := find(members, peerURL); found {
		return members, nil
	}
	if err := c.guard(); err != nil {
		return nil, err
	}
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.client.MemberAddAsLearner(short, []string{peerURL})
	switch {
	case err == nil:
		return fromWire(answer.Members), nil
	case errors.Is(err, rpctypes.ErrTooManyLearners):
		return nil, c.inTheWay(ctx, members)
	case errors.Is(err, rpctypes.ErrUnhealthy), errors.Is(err, rpctypes.ErrMemberNotEnoughStarted):
		return nil, c.unconnected(ctx, members, err)
	case errors.Is(err, rpctypes.ErrPeerURLExist), errors.Is(err, rpctypes.ErrMemberExist), transient(err):
		return nil, c.unsettled(plain(err)) // it may have been done nevertheless: the next list shows
	}
	return nil, explained(plain(err))
}

// agreed is the list of members that a quorum agrees on, and what the voting ones say of themselves. The error is an obstacle that
// says which members are to blame; those are asked first, because a request to a cluster without quorum takes long to fail.
func (c *Client) agreed(ctx context.Context) ([]Member, []look, error) {
	believed, err := c.roster(ctx)
	if err != nil {
		return nil, nil, c.unsettled(err)
	}
	looks := c.look(ctx, voters(believed))
	if err := quorum(looks, working); err != nil {
		return nil, nil, c.unsettled(err)
	}
	members, err := c.Members(ctx)
	if err != nil {
		return nil, nil, c.unsettled(err)
	}
	return members, looks, nil
}

// unsettled is an obstacle that should go away by itself.
func (c *Client) unsettled(err error) *obstacle {
	return &obstacle{
		text: err.Error(), cause: err, patience: c.pace.settle,
		mend: cmp.Or(mending(err), "start etcd on those machines again, or look there why it fails (crictl ps -a --name etcd; crictl logs <id>)"),
	}
}

// unconnected: etcd adds nobody while a voting member is down or not connected to the others, even when there is a quorum.
func (c *Client) unconnected(ctx context.Context, members []Member, err error) *obstacle {
	looks := c.look(ctx, voters(members))
	o := &obstacle{cause: err, patience: c.pace.settle}
	down := slices.IndexFunc(looks, func(l look) bool { return l.err != nil })
	if down < 0 {
		o.text = fmt.Sprintf("etcd adds nobody until all voting members have been connected to each other for five seconds: %v", plain(err))
		o.mend = "check that every member can reach the peer URLs of the others (port 2380) and trusts their certificates"
		return o
	}
	gone := looks[down].member
	o.text = fmt.Sprintf("etcd adds nobody while a voting member is down: %v%s", plain(err), reasons(looks))
	o.mend = fmt.Sprintf("start etcd there again, or if that machine is gone for good: %s", removal(members, gone))
	return o
}

// inTheWay describes the learner for which etcd takes no other one.
func (c *Client) inTheWay(ctx context.Context, members []Member) *obstacle {
	n := slices.IndexFunc(members, func(m Member) bool { return m.Learner })
	if n < 0 {
		return c.unsettled(errors.New("another machine is joining"))
	}
	o := c.learner(ctx, members, members[n])
	o.text = "another machine is joining: " + o.text
	o.mend = fmt.Sprintf("run join on that machine again, which finishes, or give its member up: %s", removal(members, members[n]))
	return o
}

// learner says how far a learner has come.
func (c *Client) learner(ctx context.Context, members []Member, m Member) *obstacle {
	o := &obstacle{patience: c.stall()}
	if !m.Started() {
		o.state, o.text = m.hexID()+" new", fmt.Sprintf("%s has not started yet", m)
		return o
	}
	own, err := c.lookAt(ctx, m)
	if err != nil {
		o.state, o.text, o.cause = m.hexID()+" silent", fmt.Sprintf("%s does not answer: %v", m, err), err
		return o
	}
	o.state, o.text = m.hexID()+" started", fmt.Sprintf("%s has started and waits for its vote", m)
	for _, v := range voters(members) {
		if leading, err := c.lookAt(ctx, v); err == nil {
			o.behind = leading.RaftIndex - min(own.RaftAppliedIndex, leading.RaftIndex)
			if o.behind > 0 {
				o.text = fmt.Sprintf("%s is catching up, %d of %d entries to go", m, o.behind, leading.RaftIndex)
			}
			break
		}
	}
	return o
}

// named fills in the names that etcd does not know yet: our own, and for others that have not started their ID, because
// --initial-cluster must list every member and the name only has to be unique there.
func named(members []Member, name, peerURL string) []Member {
	members = slices.Clone(members)
	for n, m := range members {
		switch {
		case m.at(peerURL):
			members[n].Name = name
		case m.Name == "":
			members[n].Name = m.hexID()
		}
	}
	return members
}
