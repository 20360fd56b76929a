package etcd

import (
	"context"
	"net"
	"testing"
	"time"
)

// TestLookAtOnce: members that are silent take no time from the one that answers.
func TestLookAtOnce(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	f := newFake(t, 3)
	c := f.client()
	members := fromWire(f.Members)
	for i := range members[:2] {
		members[i].ClientURLs = []string{"http://" + silent.Addr().String()}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	looks := c.look(ctx, members)
	if looks[0].err == nil || looks[1].err == nil || looks[2].err != nil {
		t.Errorf("a silent member: %v, another: %v, the one that answers: %v", looks[0].err, looks[1].err, looks[2].err)
	}
}
