package etcd

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
)

// fake is a cluster of servers on loopback that speak etcd's membership API. Its members share what they know.
type fake struct {
	t       *testing.T
	mu      sync.Mutex
	members []*pb.Member
	status  map[uint64]*pb.StatusResponse
	stop    map[uint64]func()
	// add, promote and remove answer the next calls with these errors, first to last; after that calls succeed.
	add, promote, remove []error
	calls                []string
	// onList runs before each list, with the lock held.
	onList func()
}

// newFake starts voting members m1, m2, ... with IDs 1, 2, ... at peer URLs http://p1:2380, ...; the first leads.
func newFake(t *testing.T, voters int) *fake {
	f := &fake{t: t, status: map[uint64]*pb.StatusResponse{}, stop: map[uint64]func(){}}
	for range voters {
		f.start(f.learner(false))
	}
	return f
}

// learner adds a member that has not started; it votes unless learner is true.
func (f *fake) learner(learner bool) *pb.Member {
	id := uint64(len(f.members) + 1)
	m := &pb.Member{ID: id, PeerURLs: []string{"http://p" + string(rune('0'+id)) + ":2380"}, IsLearner: learner}
	f.members = append(f.members, m)
	return m
}

// start makes a member answer and announce itself.
func (f *fake) start(m *pb.Member) {
	f.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	m.Name, m.ClientURLs = "m"+string(rune('0'+m.ID)), []string{"http://" + l.Addr().String()}
	f.status[m.ID] = &pb.StatusResponse{Leader: 1, RaftIndex: 100, RaftAppliedIndex: 100}
	s := grpc.NewServer()
	pb.RegisterClusterServer(s, &fakeMember{fake: f, id: m.ID})
	pb.RegisterMaintenanceServer(s, &fakeMaintenance{fake: f, id: m.ID})
	go func() { _ = s.Serve(l) }()
	f.stop[m.ID] = s.Stop
	f.t.Cleanup(s.Stop)
}

// client is one of all voting members, and does not wait long.
func (f *fake) client() *Client {
	f.t.Helper()
	c, err := Open(Endpoints(fromWire(f.members)), nil, nil, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	c.pace = pace{first: time.Millisecond, longest: 5 * time.Millisecond, settle: 400 * time.Millisecond, stall: 600 * time.Millisecond}
	return c
}

// call notes a call and takes the next error from a list of them.
func (f *fake) call(name string, errs *[]error) error {
	f.calls = append(f.calls, name)
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

// list is a copy, because an answer is sent after the lock is gone.
func (f *fake) list() []*pb.Member {
	var list []*pb.Member
	for _, m := range f.members {
		list = append(list, &pb.Member{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, IsLearner: m.IsLearner})
	}
	return list
}

// fakeMember and fakeMaintenance are what one member serves.
type fakeMember struct {
	pb.UnimplementedClusterServer
	*fake
	id uint64
}

type fakeMaintenance struct {
	pb.UnimplementedMaintenanceServer
	*fake
	id uint64
}

func (f *fakeMember) MemberList(_ context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onList != nil && r.Linearizable {
		f.onList()
	}
	for _, m := range f.members {
		if m.ID == f.id && m.IsLearner {
			return nil, rpctypes.ErrGRPCNotSupportedForLearner
		}
	}
	return &pb.MemberListResponse{Members: f.list()}, nil
}

func (f *fakeMember) MemberAdd(_ context.Context, r *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !r.IsLearner {
		f.t.Error("added with a vote")
	}
	if err := f.call("add", &f.add); err != nil {
		return nil, err
	}
	m := f.learner(true)
	m.PeerURLs = r.PeerURLs
	return &pb.MemberAddResponse{Members: f.list()}, nil
}

func (f *fakeMember) MemberPromote(_ context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("promote", &f.promote); err != nil {
		return nil, err
	}
	for _, m := range f.members {
		if m.ID == r.ID {
			m.IsLearner = false
		}
	}
	return &pb.MemberPromoteResponse{Members: f.list()}, nil
}

func (f *fakeMember) MemberRemove(_ context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("remove", &f.remove); err != nil {
		return nil, err
	}
	f.members = slices.DeleteFunc(f.members, func(m *pb.Member) bool { return m.ID == r.ID })
	return &pb.MemberRemoveResponse{Members: f.list()}, nil
}

func (f *fakeMaintenance) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.status[f.id]
	return &pb.StatusResponse{Leader: s.Leader, RaftIndex: s.RaftIndex, RaftAppliedIndex: s.RaftAppliedIndex, Errors: s.Errors}, nil
}

func (f *fakeMaintenance) MoveLeader(_ context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "move from "+string(rune('0'+f.id))+" to "+string(rune('0'+r.TargetID)))
	return &pb.MoveLeaderResponse{}, nil
}
