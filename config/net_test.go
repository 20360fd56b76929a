package config

import (
	"net/netip"
	"testing"
)

func TestNthAddress(t *testing.T) {
	for _, tt := range []struct {
		cidr string
		n    int
		want string
	}{
		{"10.96.0.0/12", 1, "10.96.0.1"}, {"10.96.0.0/12", 10, "10.96.0.10"}, {"10.96.0.250/16", 300, "10.96.1.44"},
		{"fd00:10:96::/112", 10, "fd00:10:96::a"}, {"fd00::/112", 65536, ""}, {"10.0.0.0/29", 10, ""}, {"255.255.255.255/32", 1, ""},
	} {
		got := NthAddress(netip.MustParsePrefix(tt.cidr), tt.n)
		if got.IsValid() != (tt.want != "") || got.IsValid() && got.String() != tt.want {
			t.Errorf("NthAddress(%s, %d) = %v, want %q", tt.cidr, tt.n, got, tt.want)
		}
	}
	if NthAddress(netip.Prefix{}, 1).IsValid() {
		t.Error("an address in no network")
	}
}

func TestParseHostPort(t *testing.T) {
	for _, tt := range []struct{ in, host, port string }{
		{"api.example.com", "api.example.com", ""}, {"api.example.com:443", "api.example.com", "443"},
		{"10.0.0.1:6443", "10.0.0.1", "6443"}, {"10.0.0.1", "10.0.0.1", ""},
		{"2001:db8::1", "2001:db8::1", ""}, {"[2001:db8::1]:6443", "2001:db8::1", "6443"},
		{"", "", "error"}, {":6443", "", "error"}, {"API:6443", "", "error"}, {"api:65536", "", "error"}, {"api:x", "", "error"},
		{"https://api:6443", "", "error"}, {"[2001:db8::1]", "", "error"}, {"a_b", "", "error"},
	} {
		host, port, err := ParseHostPort(tt.in)
		if err != nil {
			port = "error"
		}
		if host != tt.host || port != tt.port {
			t.Errorf("ParseHostPort(%q) = %q, %q, %v; want %q, %q", tt.in, host, port, err, tt.host, tt.port)
		}
	}
}

func TestAddresses(t *testing.T) {
	c, d := New(), machine()
	c.Cluster.Networking.PodSubnet = "10.244.0.0/16"
	ready(t, c, d)
	six, d6 := New(), machine()
	d6.AdvertiseAddress = "2001:db8::10"
	six.Init.LocalAPIEndpoint.AdvertiseAddress = "::"
	six.Cluster.ControlPlaneEndpoint = "2001:db8::1"
	six.Cluster.Networking.ServiceSubnet = "fd00:10:96::/112,10.96.0.0/16"
	ready(t, six, d6)
	for _, tt := range []struct{ what, got, want string }{
		{"local", c.LocalAPIURL(), "https://192.0.2.10:6443"},
		{"control plane", c.ControlPlaneURL(), "https://192.0.2.10:6443"},
		{"etcd client", c.EtcdClientURL(), "https://192.0.2.10:2379"},
		{"etcd peer", c.EtcdPeerURL(), "https://192.0.2.10:2380"},
		{"DNS", c.DNSIP().String(), "10.96.0.10"},
		{"API service", c.APIServerServiceIP().String(), "10.96.0.1"},
		{"pods", c.PodCIDRs()[0].String(), "10.244.0.0/16"},
		{"proxy", c.Proxy.BindAddress, "0.0.0.0"},
		{"local 6", six.LocalAPIURL(), "https://[2001:db8::10]:6443"},
		{"control plane 6", six.ControlPlaneURL(), "https://[2001:db8::1]:6443"},
		{"endpoint 6", six.Cluster.ControlPlaneEndpoint, "[2001:db8::1]:6443"},
		{"DNS 6", six.DNSIP().String(), "fd00:10:96::a"},
		{"second services", six.ServiceCIDRs()[1].String(), "10.96.0.0/16"},
		{"proxy 6", six.Proxy.BindAddress, "::"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.what, tt.got, tt.want)
		}
	}
	if c.IPv6() || !six.IPv6() || c.ExternalEtcd() {
		t.Error("wrong family or etcd")
	}
	// Asked before there are defaults or with wrong values, the methods answer with nothing.
	if e := New(); e.DNSIP().IsValid() || e.IPv6() || len(e.ServiceCIDRs()) != 0 || !e.Version().IsZero() {
		t.Error("answers out of nothing")
	}
}
