// Package etcd asks etcd for its version, health and members, of the local member over its API or from its data, and of an external cluster over
// plain HTTPS before anything else is known about it; and it changes the membership: a machine joins as a learner, is promoted
// once it has the data, and leaves.
package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// callTimeout bounds one question to one endpoint when the context leaves more time.
const callTimeout = 10 * time.Second

// Client is a connection to the members of one etcd cluster. It is safe for concurrent use.
type Client struct {
	// Progress, when it is set before the first use, is told what Join and Leave wait for, each time that this changes.
	Progress func(string)
	// Guard, when it is set before the first use, is asked right before each request that changes the members, which may come long
	// after the call for it began. Its error ends the call.
	Guard func() error
	// Patience, when it is set before the first use, is how long Join and Promote wait for a learner that gets no further, as
	// timeouts.etcdAPICall says. Default two minutes.
	Patience time.Duration

	pace      pace
	endpoints []string
	client    *clientv3.Client
	tls       *tls.Config // nil for http endpoints
}

// Member is one member of the cluster.
type Member struct {
	ID   uint64
	Name string // empty until the member has started
	// PeerURLs and ClientURLs are what the member announces; ClientURLs is empty until it has started.
	PeerURLs, ClientURLs []string
	// Learner members do not vote.
	Learner bool
}

// Open makes a client for endpoints as "https://10.0.0.5:2379". ca, cert and key are PEM: what verifies the servers, and what
// the client shows; cert and key may both be empty. Nothing is sent yet, so an endpoint that is not there shows later.
func Open(endpoints []string, ca, cert, key []byte) (*Client, error) {
	if len(endpoints) == 0 {
		return nil, errors.New("cannot reach etcd: no endpoint given")
	}
	var t *tls.Config
	if strings.HasPrefix(endpoints[0], "https://") {
		var err error
		if t, err = TLS(ca, cert, key); err != nil {
			return nil, fmt.Errorf("cannot reach etcd at %s: %w", strings.Join(endpoints, ", "), err)
		}
	}
	return open(endpoints, t)
}

func open(endpoints []string, t *tls.Config) (*Client, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialTimeout: callTimeout,
		TLS:         t,
		Logger:      zap.NewNop(), // what matters comes back as an error
	})
	if err != nil {
		return nil, fmt.Errorf("cannot reach etcd at %s: %w", strings.Join(endpoints, ", "), err)
	}
	return &Client{pace: usualPace, endpoints: endpoints, client: client, tls: t}, nil
}

// stall is how long another machine may go without progress.
func (c *Client) stall() time.Duration {
	if c.Patience > 0 {
		return c.Patience
	}
	return c.pace.stall
}

// guard asks Guard.
func (c *Client) guard() error {
	if c.Guard == nil {
		return nil
	}
	return c.Guard()
}

// Close ends the connections.
func (c *Client) Close() error { return c.client.Close() }

// Version returns the lowest version among the endpoints, as "3.6.6". One that does not answer is an error.
func (c *Client) Version(ctx context.Context) (string, error) {
	lowest := ""
	for _, endpoint := range c.endpoints {
		status, err := c.status(ctx, endpoint)
		if err != nil {
			return "", fmt.Errorf("cannot get the version of etcd at %s: %w", endpoint, err)
		}
		if lowest == "" || older(status.Version, lowest) {
			lowest = status.Version
		}
	}
	return lowest, nil
}

// Healthy returns nil when every endpoint answers, knows a leader and reports no alarm or corruption, and the cluster
// serves a linearizable read, for which it needs a quorum. The error names each endpoint that fails.
func (c *Client) Healthy(ctx context.Context) error {
	var problems []error
	for _, endpoint := range c.endpoints {
		status, err := c.status(ctx, endpoint)
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("etcd at %s does not answer: %w", endpoint, err))
		case status.Leader == 0:
			problems = append(problems, fmt.Errorf("etcd at %s has no leader", endpoint))
		case len(status.Errors) > 0:
			problems = append(problems, fmt.Errorf("etcd at %s reports: %s", endpoint, strings.Join(status.Errors, ", ")))
		}
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// The key need not exist. A cluster with authentication may refuse to tell, but only a healthy one gets that far.
	_, err := c.client.Get(ctx, "health")
	if err != nil && !permissionDenied(err) {
		return fmt.Errorf("etcd at %s can't serve reads: %w", strings.Join(c.endpoints, ", "), plain(err))
	}
	return nil
}

// Members lists the members in the order that etcd gives.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.client.MemberList(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list the members of etcd at %s: %w", strings.Join(c.endpoints, ", "), plain(err))
	}
	return fromWire(answer.Members), nil
}

func (c *Client) status(ctx context.Context, endpoint string) (*clientv3.StatusResponse, error) {
	// gRPC waits out its own backoff where nobody listens and then tells only that time is up. A dial knows at once.
	if err := dial(ctx, endpoint, nil); err != nil {
		return nil, err
	}
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	status, err := c.client.Status(short, endpoint)
	if err == nil {
		return status, nil
	}
	if c.tls != nil && short.Err() != nil {
		if cause := dial(context.WithoutCancel(ctx), endpoint, c.tls); cause != nil {
			return nil, cause
		}
	}
	return nil, plain(err)
}
