package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// ErrOnlyMember is found by errors.Is in the error about taking away the last voting member, with which all data would go.
var ErrOnlyMember = errors.New("it is the only voting member")

// errNoLeader is what a member that answers says in an election, and when too many others are down.
var errNoLeader = errors.New("it knows no leader")

// Quorum returns nil when more than half of the voting members are healthy: they answer, know a leader, and report no alarm; and
// the cluster serves a linearizable request. The error names each member that is not, and why.
func (c *Client) Quorum(ctx context.Context) error {
	members, err := c.roster(ctx)
	if err != nil {
		return err
	}
	if err := quorum(c.look(ctx, voters(members)), healthy); err != nil {
		return err
	}
	// The list so far is what one member believes. This one is what the cluster agrees on.
	_, err = c.Members(ctx)
	return err
}

// QuorumWithout returns nil when the cluster still works after member id is gone: more than half of the other voting members answer
// and know a leader. A learner and an unknown member are never missed. For the last voting member it is ErrOnlyMember.
func (c *Client) QuorumWithout(ctx context.Context, id uint64) error {
	members, err := c.roster(ctx)
	if err != nil {
		return err
	}
	return c.quorumWithout(ctx, members, id)
}

func (c *Client) quorumWithout(ctx context.Context, members []Member, id uint64) error {
	var others []Member
	var gone *Member
	for _, m := range voters(members) {
		if m.ID == id {
			gone = &m
		} else {
			others = append(others, m)
		}
	}
	if gone == nil {
		return nil
	}
	if len(others) == 0 {
		return fmt.Errorf("cannot do without %s: %w", gone, ErrOnlyMember)
	}
	if err := quorum(c.look(ctx, others), working); err != nil {
		return fmt.Errorf("cannot do without %s: %w", gone, err)
	}
	return nil
}

// quorum returns nil when more than half of what the voting members say is good, and otherwise who is not and why.
func quorum(looks []look, good func(look) bool) error {
	n := 0
	for _, l := range looks {
		if good(l) {
			n++
		}
	}
	if need := len(looks)/2 + 1; n < need {
		return fmt.Errorf("etcd has no quorum: it needs %d of %d voting members, and has %d%s", need, len(looks), n, reasons(looks))
	}
	return nil
}

// working members take part in decisions; healthy ones are also free of alarms, which all members share.
func working(l look) bool { return l.err == nil }

func healthy(l look) bool { return working(l) && len(l.status.Errors) == 0 }

// look is what one member says of itself.
type look struct {
	member Member
	status *clientv3.StatusResponse // nil with err
	err    error
}

// look asks members at the same time, each at its first client URL that answers.
func (c *Client) look(ctx context.Context, members []Member) []look {
	looks := make([]look, len(members))
	var all sync.WaitGroup
	for n, m := range members {
		all.Go(func() {
			looks[n] = look{member: m}
			looks[n].status, looks[n].err = c.lookAt(ctx, m)
		})
	}
	all.Wait()
	return looks
}

func (c *Client) lookAt(ctx context.Context, m Member) (*clientv3.StatusResponse, error) {
	err := errors.New("it has never started")
	for _, url := range m.ClientURLs {
		var status *clientv3.StatusResponse
		status, err = c.status(ctx, url)
		if err == nil && status.Leader == 0 {
			err = errNoLeader
		}
		if err == nil {
			return status, nil
		}
		err = fmt.Errorf("%s: %w", url, err)
	}
	return nil, err
}

// reasons lists who is not well and why, for the end of a sentence.
func reasons(looks []look) string {
	var out strings.Builder
	for _, l := range looks {
		switch {
		case l.err != nil:
			fmt.Fprintf(&out, "; %s: %v", l.member, l.err)
		case len(l.status.Errors) > 0:
			fmt.Fprintf(&out, "; %s reports: %s", l.member, strings.Join(l.status.Errors, ", "))
		}
	}
	return out.String()
}

// roster is the list of members as one of them believes it to be: it needs no quorum. Without an endpoint that can be reached gRPC
// would wait, and then hide why none can be.
func (c *Client) roster(ctx context.Context) ([]Member, error) {
	var problems []string
	for _, endpoint := range c.endpoints {
		err := dial(ctx, endpoint, nil)
		if err == nil {
			return c.believed(ctx, endpoint)
		}
		problems = append(problems, fmt.Sprintf("%s: %v", endpoint, err))
	}
	return nil, fmt.Errorf("cannot reach etcd: %s", strings.Join(problems, "; "))
}

// believed asks for the list that roster returns; endpoint is one that accepts connections.
func (c *Client) believed(ctx context.Context, endpoint string) ([]Member, error) {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.client.MemberList(short, clientv3.WithSerializable())
	if err == nil {
		return fromWire(answer.Members), nil
	}
	err = plain(err)
	if c.tls != nil {
		if cause := dial(context.WithoutCancel(ctx), endpoint, c.tls); cause != nil {
			err = cause
		}
	}
	return nil, fmt.Errorf("cannot list the members of etcd at %s: %w", endpoint, err)
}
