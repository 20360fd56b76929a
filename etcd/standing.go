package etcd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Standing is what a member is to its cluster, as far as can be told.
type Standing struct {
	// Self is the own member; nil when the cluster that answers, or the data, does not have it, and when neither could be asked,
	// which Refusal tells then.
	Self *Member
	// Others are all other members that are known. Those of a manifest have no ID, no name and no client URL.
	Others []Member
	// Refusal is why the member must not go now: the others would have no quorum, or nobody answers who could take it out, or it
	// can't be told. It is nil when the member may go, and when there is none.
	Refusal error
	// Answered says that somebody answered. Otherwise the rest is what the data on disk or the manifest says.
	Answered bool
}

// Last says that it is the only voting member: with it goes the cluster's data.
func (s Standing) Last() bool { return s.Self != nil && !s.Self.Learner && len(voters(s.Others)) == 0 }

// Known is what the machine knows of its member without asking.
type Known struct {
	Name, PeerURL string   // of the own member, by etcd's manifest
	Seeds         []string // client URLs to ask, own first
	Manifest      []string // peer URLs of --initial-cluster in the manifest
	DB            string   // path of the database file; need not exist
	CA, Cert, Key []byte   // PEM, as for Open
}

// mendOthers is what to do when the others are not well.
const mendOthers = "\nstart etcd again on those machines, or look there why it fails (crictl ps -a --name etcd; crictl logs <id>)"

// Stand says what the machine's member is to its cluster, and changes nothing. It asks the seeds, and when none of them answers
// the members that the data on disk names, or without data those of the manifest.
func Stand(ctx context.Context, k Known) Standing {
	var tried silence
	members, c := k.ask(ctx, k.Seeds, &tried)
	if c != nil {
		defer c.Close()
		return k.byCluster(ctx, c, members)
	}
	stored, err := ReadMembers(k.DB)
	if len(stored) > 0 {
		return k.byDisk(ctx, stored, &tried)
	}
	if urls := k.guessed(); len(urls) > 0 {
		if members, c = k.ask(ctx, urls, &tried); c != nil {
			defer c.Close()
			return k.byCluster(ctx, c, members)
		}
	}
	return k.byManifest(err, tried)
}

// byCluster is what members of the cluster say. c is a client of its voting members.
func (k Known) byCluster(ctx context.Context, c *Client, members []Member) Standing {
	s := Standing{Answered: true}
	s.split(members, func(m Member) bool { return m.at(k.PeerURL) })
	if s.Self == nil { // its peer URL may have been changed, in the cluster or in the manifest
		if id := k.ownID(ctx); id != 0 {
			s.split(members, func(m Member) bool { return m.ID == id })
		}
	}
	if s.Self == nil || s.Last() {
		return s
	}
	looks, others := c.lookWithout(ctx, members, s.Self.ID)
	err := quorum(others, working)
	if err == nil {
		return s
	}
	err = fmt.Errorf("cannot do without %s: %w%s", s.Self, err, mendOthers)
	var alive, dead []Member
	for _, l := range looks {
		switch {
		case working(l):
			alive = append(alive, l.member)
		case l.member.ID == s.Self.ID:
			err = fmt.Errorf("%w\nand start etcd on this machine, which does not work either: the others may need its vote", err)
		default:
			dead = append(dead, l.member)
		}
	}
	if quorum(looks, working) == nil {
		err = fmt.Errorf("%w\nor if such a machine is gone for good, remove its member first: %s", err, removal(alive, dead[0]))
	}
	s.Refusal = err
	return s
}

// ownID is the ID of the machine's member, whatever the manifest says: by the process that has the data open, or by the data. It is
// zero when nobody knows. A machine that has taken the name of this one has another ID.
func (k Known) ownID(ctx context.Context) uint64 {
	stored, err := ReadMembers(k.DB)
	if errors.Is(err, ErrRunning) && len(k.Seeds) > 0 {
		return k.askOne(ctx, k.Seeds[0]).id
	}
	for _, m := range stored {
		if m.at(k.PeerURL) || k.Name != "" && m.Name == k.Name {
			return m.ID
		}
	}
	return 0
}

// lookWithout looks at the voting members: at all, and at those but one. It gives an election a moment.
func (c *Client) lookWithout(ctx context.Context, members []Member, id uint64) (all, others []look) {
	for began := time.Now(); ; time.Sleep(askGrace) {
		short, cancel := context.WithTimeout(ctx, askTimeout)
		all = c.look(short, voters(members))
		cancel()
		others = slices.DeleteFunc(slices.Clone(all), func(l look) bool { return l.member.ID == id })
		electing := slices.ContainsFunc(others, func(l look) bool { return errors.Is(l.err, errNoLeader) })
		if !electing || quorum(others, working) == nil || ctx.Err() != nil || time.Since(began) > askTimeout-askGrace {
			return all, others
		}
	}
}

// byDisk is what the data says when no seed answers.
func (k Known) byDisk(ctx context.Context, stored []Member, tried *silence) Standing {
	var s Standing
	// In its own data a member is the one of its name, too: its peer URL may have been changed in the manifest since.
	s.split(stored, func(m Member) bool { return m.at(k.PeerURL) })
	if s.Self == nil {
		s.split(stored, func(m Member) bool { return k.Name != "" && m.Name == k.Name })
	}
	var urls []string
	for _, m := range s.Others {
		urls = append(urls, m.ClientURLs...)
	}
	members, c := k.ask(ctx, urls, tried)
	if c != nil {
		defer c.Close()
		return k.byCluster(ctx, c, members)
	}
	if s.Self == nil || s.Last() {
		return s // it was taken out, or it is all there is
	}
	s.Refusal = fmt.Errorf("cannot take %s out of its cluster: no other member answers: %s%s%s",
		s.Self, list(s.Others), *tried, mendOthers)
	return s
}

// byManifest is what is left when nobody answers and the data, as err says if it is not nil, names no member.
func (k Known) byManifest(err error, tried silence) Standing {
	var s Standing
	for _, peer := range k.Manifest {
		if m := (Member{PeerURLs: []string{peer}}); !m.at(k.PeerURL) {
			s.Others = append(s.Others, m)
		}
	}
	const unknown = "cannot tell what this machine's member is to its cluster"
	switch {
	case errors.Is(err, ErrRunning):
		s.Refusal = fmt.Errorf("%s: nobody answers%s; %w\nlook why etcd, which runs here, does not answer "+
			"(crictl ps -a --name etcd; crictl logs <id>); or stop it, then its data tells", unknown, tried, err)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		s.Refusal = fmt.Errorf("%s: nobody answers%s; %w\nif the cluster has other members, start etcd there", unknown, tried, err)
	case len(s.Others) > 0: // there is no data, but a join may have added the member
		s.Refusal = fmt.Errorf("%s, which has others: no other member answers: %s%s%s", unknown, list(s.Others), tried, mendOthers)
	}
	return s
}

// guessed are the client URLs that the other members of the manifest have if they were made as this tool makes them.
func (k Known) guessed() []string {
	var urls []string
	for _, peer := range k.Manifest {
		u, err := url.Parse(peer)
		if err != nil || u.Host == "" || (Member{PeerURLs: []string{peer}}).at(k.PeerURL) {
			continue
		}
		urls = append(urls, u.Scheme+"://"+net.JoinHostPort(u.Hostname(), "2379"))
	}
	return urls
}

// split sets Self and Others.
func (s *Standing) split(members []Member, own func(Member) bool) {
	s.Self, s.Others = nil, nil
	for _, m := range members {
		if s.Self == nil && own(m) {
			s.Self = &m
		} else {
			s.Others = append(s.Others, m)
		}
	}
}

// list names members that may be known by their peer URL only.
func list(members []Member) string {
	var names []string
	for _, m := range members {
		name := m.String()
		if m.ID == 0 {
			name = strings.Join(m.PeerURLs, ", ")
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
