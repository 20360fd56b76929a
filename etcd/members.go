package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Started says whether the member has ever told its name and client URLs, which it does once it has joined the others.
func (m Member) Started() bool { return m.Name != "" || len(m.ClientURLs) > 0 }

// String names the member for people: by name if it has one, always with its peer URL and the ID that etcdctl knows.
func (m Member) String() string {
	known := strings.Join(append(slices.Clone(m.PeerURLs), "ID "+m.hexID()), ", ")
	if m.Name == "" {
		return fmt.Sprintf("etcd member without a name (%s)", known)
	}
	return fmt.Sprintf("etcd member %s (%s)", m.Name, known)
}

func (m Member) hexID() string { return strconv.FormatUint(m.ID, 16) }

// Endpoints are the client URLs of all members that have started and vote, in etcd's order. A learner refuses most requests.
func Endpoints(members []Member) []string {
	var urls []string
	for _, m := range members {
		if !m.Learner {
			urls = append(urls, m.ClientURLs...)
		}
	}
	return urls
}

// OpenCluster makes a client for all voting members, which it learns from the first of seeds that answers; a seed may be a learner
// or gone. The other arguments are as for Open. The error says for each seed why it does not answer.
func OpenCluster(ctx context.Context, seeds []string, ca, cert, key []byte) (*Client, error) {
	if len(seeds) == 0 {
		return Open(nil, ca, cert, key)
	}
	var problems []error
	for _, seed := range seeds {
		urls, err := endpointsOf(ctx, seed, ca, cert, key)
		if err == nil {
			return Open(urls, ca, cert, key)
		}
		problems = append(problems, err)
	}
	return nil, errors.Join(problems...)
}

// endpointsOf asks one seed alone: a client with several would ask any of them, and a learner does not answer.
func endpointsOf(ctx context.Context, seed string, ca, cert, key []byte) ([]string, error) {
	c, err := Open([]string{seed}, ca, cert, key)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	members, err := c.roster(ctx)
	if err != nil {
		return nil, err
	}
	urls := Endpoints(members)
	if len(urls) == 0 {
		return nil, fmt.Errorf("cannot list the members of etcd at %s: no voting member announces a client URL", seed)
	}
	return urls, nil
}

// find returns the member whose peer URL, or hexadecimal ID, who is.
func find(members []Member, who string) (Member, bool) {
	n := slices.IndexFunc(members, func(m Member) bool { return m.hexID() == who || m.at(who) })
	if n < 0 {
		return Member{}, false
	}
	return members[n], true
}

func (m Member) at(peerURL string) bool {
	return slices.ContainsFunc(m.PeerURLs, func(url string) bool {
		return strings.TrimSuffix(url, "/") == strings.TrimSuffix(peerURL, "/")
	})
}

func voters(members []Member) []Member {
	return slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return m.Learner })
}

func fromWire(list []*etcdserverpb.Member) []Member {
	members := make([]Member, 0, len(list))
	for _, m := range list {
		members = append(members, Member{
			ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, Learner: m.IsLearner,
		})
	}
	return members
}

// removal is the command that gives a member up, for the control-plane node of a voting member that works.
func removal(members []Member, gone Member) string {
	node := "<node>"
	for _, m := range voters(members) {
		if m.ID != gone.ID && m.Name != "" {
			node = m.Name
			break
		}
	}
	const pki = "/etc/kubernetes/pki/etcd/"
	return fmt.Sprintf("kubectl -n kube-system exec etcd-%s -- etcdctl --endpoints=https://127.0.0.1:2379 --cacert=%sca.crt "+
		"--cert=%shealthcheck-client.crt --key=%shealthcheck-client.key member remove %s", node, pki, pki, pki, gone.hexID())
}
