package phases

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/manifests"
)

// TestInitialCluster: the order of etcd's own list does not count, and a member that has started keeps its manifest.
func TestInitialCluster(t *testing.T) {
	one := etcd.Member{ID: 9, Name: "cp1", PeerURLs: []string{"https://10.9.0.1:2380"}, ClientURLs: []string{"https://10.9.0.1:2379"}}
	fresh := etcd.Member{ID: 3, PeerURLs: []string{"https://10.9.0.2:2380"}}
	started := etcd.Member{ID: 3, Name: "cp2", PeerURLs: fresh.PeerURLs, ClientURLs: []string{"https://10.9.0.2:2379"}}
	third := etcd.Member{ID: 1, Name: "cp3", PeerURLs: []string{"https://10.9.0.3:2380"}, ClientURLs: []string{"https://10.9.0.3:2379"}}
	two := []manifests.EtcdMember{{Name: "cp1", PeerURL: "https://10.9.0.1:2380"}, {Name: "cp2", PeerURL: "https://10.9.0.2:2380"}}
	three := append(two[:2:2], manifests.EtcdMember{Name: "cp3", PeerURL: "https://10.9.0.3:2380"})
	const manifest = "spec:\n  containers:\n  - command:\n    - etcd\n    - --initial-cluster=cp1=https://10.9.0.1:2380,cp2=https://10.9.0.2:2380\n"
	for name, tc := range map[string]struct {
		members  []etcd.Member
		manifest string
		lost     bool
		want     []manifests.EtcdMember
	}{
		"not added yet":               {[]etcd.Member{one}, "", false, two},
		"added, not started":          {[]etcd.Member{fresh, one}, "", false, two},
		"started, a third came later": {[]etcd.Member{third, started, one}, manifest + "    - --initial-cluster-state=existing\n", false, two},
		"started, no manifest":        {[]etcd.Member{third, started, one}, "", false, three},
		"the first of the cluster":    {[]etcd.Member{third, started, one}, manifest, false, three},
		"lost, a third came later":    {[]etcd.Member{third, started, one}, manifest + "    - --initial-cluster-state=existing\n", true, three},
	} {
		h := hosttest.New(t)
		if tc.manifest != "" {
			if err := h.MkdirAll("/etc/kubernetes/manifests", 0o700); err != nil {
				t.Fatal(err)
			}
			if err := h.WriteFile("/etc/kubernetes/manifests/etcd.yaml", host.FileSpec{Data: []byte(tc.manifest), Mode: 0o600}); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(tc.want, InitialCluster(h, tc.members, tc.lost, "cp2", "https://10.9.0.2:2380")); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
