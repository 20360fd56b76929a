// Package etcdtest has an etcd for tests: members that speak its membership API, and do what they are told.
package etcdtest

import (
	"context"
	"net"
	"path"
	"slices"
	"sync"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Fake is a cluster of servers on loopback that speak etcd's membership API. Its members share what they know. Its fields may be
// changed with the lock held.
type Fake struct {
	sync.Mutex

	Members []*pb.Member
	// Status is what each member says of itself, by ID, and Stop ends it.
	Status map[uint64]*pb.StatusResponse
	Stop   map[uint64]func()
	// Add, Promote and Remove answer the next calls with these errors, first to last; after that calls succeed.
	Add, Promote, Remove []error
	// Lose is for how many calls the change is made, and the answer is lost.
	Lose int
	// Calls are those that change something: "add", "promote", "remove", "move from 1 to 2".
	Calls []string
	// Around, if set, carries a call out that changes something, or its error is the answer: the caller may be refused before or after.
	Around func(call string, do func() error) error
	// OnList runs before each list, with the lock held.
	OnList func()

	t testing.TB
}

// New starts voting members m1, m2, ... with IDs 1, 2, ... at peer URLs http://p1:2380, ...; the first leads.
func New(t testing.TB, voters int) *Fake {
	t.Helper()
	f := &Fake{t: t, Status: map[uint64]*pb.StatusResponse{}, Stop: map[uint64]func(){}}
	for range voters {
		f.Start(f.Learner(false))
	}
	return f
}

// Learner adds a member that has not started; it votes unless learner is true.
func (f *Fake) Learner(learner bool) *pb.Member {
	id := uint64(1)
	for _, m := range f.Members {
		id = max(id, m.ID+1)
	}
	m := &pb.Member{ID: id, PeerURLs: []string{"http://p" + string(rune('0'+id)) + ":2380"}, IsLearner: learner}
	f.Members = append(f.Members, m)
	return m
}

// Start makes a member answer and announce itself.
func (f *Fake) Start(m *pb.Member) {
	f.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	if m.ClientURLs = []string{"http://" + l.Addr().String()}; m.Name == "" {
		m.Name = "m" + string(rune('0'+m.ID))
	}
	f.Status[m.ID] = &pb.StatusResponse{Header: &pb.ResponseHeader{MemberId: m.ID}, Leader: 1, RaftIndex: 100, RaftAppliedIndex: 100}
	s := grpc.NewServer(grpc.UnaryInterceptor(f.intercept))
	pb.RegisterClusterServer(s, &fakeMember{Fake: f, id: m.ID})
	pb.RegisterMaintenanceServer(s, &fakeMaintenance{Fake: f, id: m.ID})
	go func() { _ = s.Serve(l) }()
	f.Stop[m.ID] = s.Stop
	f.t.Cleanup(s.Stop)
}

// intercept lets Around carry out what changes something.
func (f *Fake) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (answer any, err error) {
	f.Lock()
	around := f.Around
	f.Unlock()
	name := path.Base(info.FullMethod)
	if around == nil || name == "MemberList" || name == "Status" {
		return handler(ctx, req)
	}
	if refused := around(name, func() error { answer, err = handler(ctx, req); return nil }); refused != nil {
		return nil, status.Error(codes.PermissionDenied, refused.Error())
	}
	return answer, err
}

// call notes a call and takes the next error from a list of them.
func (f *Fake) call(name string, errs *[]error) error {
	f.Calls = append(f.Calls, name)
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

// answered is the error of a call whose change is made.
func (f *Fake) answered() error {
	if f.Lose == 0 {
		return nil
	}
	f.Lose--
	return status.Error(codes.Unavailable, "error reading from server: EOF")
}

// list is a copy, because an answer is sent after the lock is gone.
func (f *Fake) list() []*pb.Member {
	var list []*pb.Member
	for _, m := range f.Members {
		list = append(list, &pb.Member{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, IsLearner: m.IsLearner})
	}
	return list
}

// fakeMember and fakeMaintenance are what one member serves.
type fakeMember struct {
	pb.UnimplementedClusterServer
	*Fake
	id uint64
}

type fakeMaintenance struct {
	pb.UnimplementedMaintenanceServer
	*Fake
	id uint64
}

func (f *fakeMember) MemberList(_ context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	f.Lock()
	defer f.Unlock()
	if f.OnList != nil && r.Linearizable {
		f.OnList()
	}
	for _, m := range f.Members {
		if m.ID == f.id && m.IsLearner {
			return nil, rpctypes.ErrGRPCNotSupportedForLearner
		}
	}
	return &pb.MemberListResponse{Members: f.list()}, nil
}

func (f *fakeMember) MemberAdd(_ context.Context, r *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	f.Lock()
	defer f.Unlock()
	if !r.IsLearner {
		f.t.Error("added with a vote")
	}
	if err := f.call("add", &f.Add); err != nil {
		return nil, err
	}
	m := f.Learner(true)
	m.PeerURLs = r.PeerURLs
	return &pb.MemberAddResponse{Members: f.list()}, f.answered()
}

func (f *fakeMember) MemberPromote(_ context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	f.Lock()
	defer f.Unlock()
	if err := f.call("promote", &f.Promote); err != nil {
		return nil, err
	}
	for _, m := range f.Members {
		if m.ID == r.ID {
			m.IsLearner = false
		}
	}
	return &pb.MemberPromoteResponse{Members: f.list()}, f.answered()
}

func (f *fakeMember) MemberRemove(_ context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	f.Lock()
	defer f.Unlock()
	if err := f.call("remove", &f.Remove); err != nil {
		return nil, err
	}
	f.Members = slices.DeleteFunc(f.Members, func(m *pb.Member) bool { return m.ID == r.ID })
	return &pb.MemberRemoveResponse{Members: f.list()}, f.answered()
}

func (f *fakeMaintenance) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	f.Lock()
	defer f.Unlock()
	s := f.Fake.Status[f.id]
	return &pb.StatusResponse{Header: s.Header, Leader: s.Leader, RaftIndex: s.RaftIndex, RaftAppliedIndex: s.RaftAppliedIndex, Errors: s.Errors}, nil
}

func (f *fakeMaintenance) MoveLeader(_ context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	f.Lock()
	defer f.Unlock()
	f.Calls = append(f.Calls, "move from "+string(rune('0'+f.id))+" to "+string(rune('0'+r.TargetID)))
	return &pb.MoveLeaderResponse{}, nil
}
