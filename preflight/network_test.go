package preflight

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/systemd"
)

func TestFirewalld(t *testing.T) {
	testRows(t, []row{
		{"active", "", func(l *lab) { l.systemd.Set(systemd.Unit{Name: "firewalld.service", ActiveState: "active"}) },
			[]string{"W Firewalld: firewalld is active: ports 6443 and 10250 must be open, and the pod network's"}},
		{"inactive", "", func(l *lab) { l.systemd.Set(systemd.Unit{Name: "firewalld.service"}) }, nil},
	})
}

func TestProxy(t *testing.T) {
	through := func(hosts ...string) func(*lab) {
		return func(l *lab) {
			l.m.Proxy = func(r *http.Request) (*url.URL, error) {
				if r.URL.Scheme == "https" && strings.Contains(" "+strings.Join(hosts, " ")+" ", " "+r.URL.Host+" ") {
					return url.Parse("http://me:5ecret@proxy:3128")
				}
				return nil, nil
			}
		}
	}
	const proxy = " use the proxy http://me:xxxxx@proxy:3128"
	testRows(t, []row{
		{"none", "", through("10.0.0.6:6443"), nil},
		{"the API server", "", through("10.0.0.5:6443"), []string{"W HTTPProxy: connections to 10.0.0.5" + proxy}},
		{"services and pods", apiHeader + "kind: ClusterConfiguration\nnetworking: {serviceSubnet: '10.96.0.0/16,fd01::/112', podSubnet: 10.244.0.0/16}\n",
			through("10.96.0.1", "[fd01::1]", "10.244.0.1"), []string{
				"W HTTPProxyCIDR: connections to 10.96.0.0/16" + proxy,
				"W HTTPProxyCIDR: connections to fd01::/112" + proxy,
				"W HTTPProxyCIDR: connections to 10.244.0.0/16" + proxy,
			}},
		{"services alone", "", through("10.96.0.1", "10.244.0.1"), []string{"W HTTPProxyCIDR: connections to 10.96.0.0/12" + proxy}},
		{"wrong setting", "", func(l *lab) {
			l.m.Proxy = func(r *http.Request) (*url.URL, error) {
				if r.URL.Host == "10.0.0.5:6443" {
					return nil, errors.New("invalid proxy address")
				}
				return nil, nil
			}
		}, []string{"W HTTPProxy: cannot tell whether connections to 10.0.0.5 use a proxy: invalid proxy address"}},
	})
}

func TestHostname(t *testing.T) {
	long := strings.Repeat("a", 64)
	testRows(t, []row{
		{"resolved", "", func(l *lab) {
			l.m.LookupHost = func(_ context.Context, name string) ([]string, error) {
				if name != "cp1" {
					return nil, errors.New("no such host")
				}
				return []string{"10.0.0.5"}, nil
			}
		}, nil},
		{"not resolved", "", func(l *lab) {
			l.m.LookupHost = func(context.Context, string) ([]string, error) { return nil, errors.New("no such host") }
		}, []string{`W Hostname: the node name "cp1" cannot be resolved: no such host`}},
		{"resolved to nothing", "", func(l *lab) {
			l.m.LookupHost = func(context.Context, string) ([]string, error) { return nil, nil }
		}, []string{`W Hostname: the node name "cp1" cannot be resolved`}},
		{"too long", apiHeader + "kind: InitConfiguration\nnodeRegistration: {name: " + long + "}\n", nil,
			[]string{`W Hostname: the node name "` + long + `" cannot be a label: name part must be no more than 63 bytes`}},
	})
}
