package host

import (
	"testing"
	"time"
)

func TestNodeName(t *testing.T) {
	for in, want := range map[string]string{"Node-1": "node-1", " a.b\n": "a.b", "\n": ""} {
		if got := nodeName(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestTime(t *testing.T) {
	then := time.Unix(5, 0)
	if got := (&Host{Now: func() time.Time { return then }}).Time(); !got.Equal(then) {
		t.Error(got)
	}
	if got := new(Host).Time(); time.Since(got) > time.Minute {
		t.Error(got)
	}
}

// What is chosen depends on the machine, but it is never a loopback or link-local address, nor an IPv4 one in IPv6 clothes.
func TestDefaultAddress(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		addr, err := DefaultAddress(ipv6)
		if err != nil {
			t.Logf("no address here: %v", err)
			continue
		}
		if addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.Is4In6() || !addr.IsValid() {
			t.Errorf("chose %v", addr)
		}
	}
}
