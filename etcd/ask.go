package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// askTimeout is how long one that does not answer is waited for when several are asked at the same time.
	askTimeout = 3 * time.Second
	// askGrace is how long the others have after the first answer: it may be of one that is cut off from the rest.
	askGrace = 300 * time.Millisecond
)

// answer is what one endpoint says.
type answer struct {
	url     string
	members []Member
	leader  bool   // it knows one
	id      uint64 // its own
	err     error
}

// silence is who was asked in vain, and why.
type silence []answer

// String is for the end of a sentence.
func (s silence) String() string {
	var out strings.Builder
	for _, a := range s {
		fmt.Fprintf(&out, "; %s: %v", a.url, a.err)
	}
	return out.String()
}

// ask asks client URLs at the same time who the members are, but those that were tried before, which it adds to. It takes the word
// of one that lists the own member and knows a leader, if there is such a one. The client is one of all voting members; it is nil
// when nobody answers.
func (k Known) ask(ctx context.Context, urls []string, tried *silence) ([]Member, *Client) {
	var fresh []string
	for _, url := range urls {
		if !slices.Contains(fresh, url) && !slices.ContainsFunc(*tried, func(a answer) bool { return a.url == url }) {
			fresh = append(fresh, url)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answers := make(chan answer, len(fresh))
	for _, url := range fresh {
		go func() { answers <- k.askOne(ctx, url) }()
	}
	var best *answer
	var enough <-chan time.Time
	for range fresh {
		var a answer
		select {
		case a = <-answers:
		case <-enough:
		}
		if a.url == "" {
			break
		}
		if a.err != nil {
			*tried = append(*tried, a)
			continue
		}
		if best == nil || k.worth(a) > k.worth(*best) {
			best = &a
		}
		if enough == nil {
			enough = time.After(askGrace)
		}
	}
	if best == nil {
		return nil, nil
	}
	c, err := Open(Endpoints(best.members), k.CA, k.Cert, k.Key)
	if err != nil {
		*tried = append(*tried, answer{url: best.url, err: err})
		return nil, nil
	}
	return best.members, c
}

func (k Known) worth(a answer) int {
	worth := 0
	if _, found := find(a.members, k.PeerURL); found {
		worth += 2
	}
	if a.leader {
		worth++
	}
	return worth
}

func (k Known) askOne(ctx context.Context, url string) answer {
	a := answer{url: url}
	var c *Client
	if c, a.err = Open([]string{url}, k.CA, k.Cert, k.Key); a.err != nil {
		return a
	}
	defer c.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // gRPC would wait for one that can't be reached, and hide why
		if err := dial(ctx, url, c.tls); err != nil {
			cancel(err)
		}
	}()
	var status *clientv3.StatusResponse
	if status, a.err = c.client.Status(ctx, url); a.err == nil {
		a.leader, a.id = status.Leader != 0, status.Header.GetMemberId()
		var list *clientv3.MemberListResponse
		if list, a.err = c.client.MemberList(ctx, clientv3.WithSerializable()); a.err == nil {
			a.members = fromWire(list.Members)
			return a
		}
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.DeadlineExceeded):
		a.err = errors.New("it does not answer in time")
	case cause != nil:
		a.err = cause
	default:
		a.err = plain(a.err)
	}
	return a
}
