package phases

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/etcd/etcdtest"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
)

// stopping tells which containers were stopped, and does something then.
type stopping struct {
	*hosttest.Runtime
	stopped []string
	then    func()
}

func (s *stopping) StopContainer(ctx context.Context, id string) error {
	s.stopped = append(s.stopped, id)
	s.then()
	return s.Runtime.StopContainer(ctx, id)
}

// TestLetServe: a member that has its data and does not serve is restarted, once; one that serves, or votes already, is not.
func TestLetServe(t *testing.T) {
	for _, tc := range []struct {
		name          string
		serves, votes bool
		want          []string
	}{
		{name: "serves", serves: true},
		{name: "votes", votes: true},
		{name: "waits for its name", want: []string{"c"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fake := etcdtest.New(t, 1)
			member := fake.Learner(!tc.votes)
			fake.Start(member)
			works := member.ClientURLs
			if !tc.serves {
				member.ClientURLs = []string{"http://" + hosttest.FreeAddress(t)}
			}
			e, err := etcd.Open(fake.Members[0].ClientURLs, nil, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			rt := &stopping{Runtime: &hosttest.Runtime{}, then: func() {
				fake.Lock()
				defer fake.Unlock()
				member.ClientURLs = works
			}}
			rt.SetContainers(host.Container{ID: "c", Name: "etcd", Running: true}, host.Container{ID: "d", Name: "etcd"},
				host.Container{ID: "x", Name: "kube-apiserver", Running: true})
			began := time.Now()
			letServe(t.Context(), &plan.Target{Runtime: rt}, e, member.PeerURLs[0])
			if !slices.Equal(rt.stopped, tc.want) {
				t.Errorf("stopped %v, want %v", rt.stopped, tc.want)
			}
			if took := time.Since(began); took > startSoon/2 {
				t.Errorf("it took %s", took)
			}
		})
	}
}
