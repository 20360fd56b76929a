package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubewright/kubewright/cause"
)

// Namesake says of a member that it has this name and is another machine's. peerURL is the own one.
func Namesake(name, peerURL string) func(Member) bool {
	return func(m Member) bool { return m.Name == name && !m.at(peerURL) }
}

// RemoveDead takes the member out that has this name at another peer URL than the own one; it returns nil when there is none. It
// refuses a member that answers, whatever that says, and when the others would have no quorum.
func (c *Client) RemoveDead(ctx context.Context, name, peerURL string) error {
	members, err := c.Members(ctx)
	if err != nil {
		return err
	}
	old := slices.IndexFunc(members, Namesake(name, peerURL))
	if old < 0 {
		return nil
	}
	return c.remove(ctx, members[old].hexID(), func(m Member) error { return cause.Refused.Mark(c.alive(ctx, m)) })
}

// alive is the error that a member is not to be replaced because it answers. One that knows no leader is alive, too: it may be cut
// off from the others only.
func (c *Client) alive(ctx context.Context, m Member) error {
	for _, url := range m.ClientURLs {
		if _, err := c.status(ctx, url); err == nil {
			return fmt.Errorf("%s answers at %s: only a dead one is replaced\nrun reset on its machine, or power it off for good", m, url)
		}
	}
	return nil
}

// taken says that the name is another member's, and what can be done.
func (c *Client) taken(ctx context.Context, members []Member, m Member) error {
	if c.alive(ctx, m) == nil {
		return fmt.Errorf("the name belongs to %s, which does not answer\n"+
			"if its machine is gone for good and this one takes its place, say so: --replace-node %s removes the member, and joins\n"+
			"or give this machine another name; or remove it by hand: %s", m, m.Name, removal(members, m))
	}
	return errors.New("the name belongs to " + m.String() + " already: give this machine another name, or take the old member away by " +
		"running reset on its machine, or if that is gone: " + removal(members, m))
}
