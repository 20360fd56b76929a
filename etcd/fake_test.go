package etcd

import (
	"testing"
	"time"

	"github.com/kubewright/kubewright/etcd/etcdtest"
)

// fake is a cluster of loopback servers, as package etcd's own tests use it.
type fake struct {
	*etcdtest.Fake
	t *testing.T
}

func newFake(t *testing.T, voters int) *fake { return &fake{Fake: etcdtest.New(t, voters), t: t} }

// client is one of all voting members, and does not wait long.
func (f *fake) client() *Client {
	f.t.Helper()
	c, err := Open(Endpoints(fromWire(f.Members)), nil, nil, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	c.pace = pace{first: time.Millisecond, longest: 5 * time.Millisecond, settle: 400 * time.Millisecond, stall: 600 * time.Millisecond}
	return c
}
