package etcd

import (
	"net"
	"testing"
	"time"
)

// TestLookAtOnce: members that are silent take no time from the one that answers, and ten seconds of those who ask, all together.
func TestLookAtOnce(t *testing.T) {
	t.Parallel()                                    // it waits most of the time
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
	began := time.Now()
	looks := c.look(t.Context(), members)
	if looks[0].err == nil || looks[1].err == nil || looks[2].err != nil {
		t.Errorf("a silent member: %v, another: %v, the one that answers: %v", looks[0].err, looks[1].err, looks[2].err)
	}
	if took := time.Since(began); took < 9*time.Second || took > 19*time.Second {
		t.Errorf("it took %s", took)
	}
}
