package phases

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/etcd/etcdtest"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
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

// TestEtcdDataDir: flags and patches may put the data elsewhere, on the machine or not.
func TestEtcdDataDir(t *testing.T) {
	patch := func(text string) manifests.Patched {
		p, err := manifests.Patches([]manifests.PatchFile{{Name: "etcd0+json.yaml", Data: []byte(text)}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, test := range map[string]struct {
		args    []config.Arg
		patches manifests.Patched
		want    string
	}{
		"as configured":       {nil, manifests.Patched{}, "/srv/etcd"},
		"below it":            {[]config.Arg{{Name: "data-dir", Value: "/srv/etcd/deep/"}}, manifests.Patched{}, "/srv/etcd/deep"},
		"in the container":    {[]config.Arg{{Name: "data-dir", Value: "/srv/etcd-too"}}, manifests.Patched{}, ""},
		"another volume":      {nil, patch("- {op: replace, path: /spec/volumes/1/hostPath/path, value: /mnt/disk}"), "/mnt/disk"},
		"a flag of its own":   {nil, patch("- {op: add, path: /spec/containers/0/command/-, value: --data-dir=/srv/etcd/x}"), "/srv/etcd/x"},
		"in two words, a sub": {nil, patch("- {op: add, path: /spec/containers/0/args, value: [-data-dir, /srv/etcd]}\n- {op: add, path: /spec/containers/0/volumeMounts/0/subPath, value: s}"), "/srv/etcd/s"},
	} {
		f := facts(t, hosttest.New(t), minimal+"---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\netcd: {local: {dataDir: /srv/etcd}}\n")
		f.Config.Cluster.Etcd.Local.ExtraArgs, f.Patches = test.args, test.patches
		if got := etcdDataDir(f); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestLost: a member is not taken for lost while its data is somewhere, or it answers, or nobody knows where its data would be.
func TestLost(t *testing.T) {
	fake := etcdtest.New(t, 2)
	e, err := etcd.Open(fake.Members[0].ClientURLs, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	members, err := e.Members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	works, dead := members[0], members[1]
	fake.Stop[2]()
	elsewhere := []config.Arg{{Name: "data-dir", Value: "/data"}}
	const old = "spec:\n  containers:\n  - command: [etcd, --data-dir=/var/lib/old]\n    volumeMounts: [{name: d, mountPath: /var/lib/old}]\n" +
		"  volumes: [{name: d, hostPath: {path: /var/lib/old}}]\n"
	for name, test := range map[string]struct {
		member etcd.Member
		args   []config.Arg
		files  map[string]string
		want   bool
	}{
		"lost":                     {dead, nil, nil, true},
		"it answers":               {works, nil, nil, false},
		"never started":            {etcd.Member{PeerURLs: dead.PeerURLs}, nil, nil, false},
		"its data is here":         {dead, nil, map[string]string{"/var/lib/etcd/member/x": ""}, false},
		"its data is where it was": {dead, nil, map[string]string{"/var/lib/old/member/x": "", "/etc/kubernetes/manifests/etcd.yaml": old}, false},
		"its data is nowhere":      {dead, elsewhere, nil, false},
	} {
		h := hosttest.New(t)
		for path, text := range test.files {
			if err := errors.Join(h.MkdirAll(path[:strings.LastIndex(path, "/")], 0o700), h.WriteFile(path, host.FileSpec{Data: []byte(text), Mode: 0o600})); err != nil {
				t.Fatal(err)
			}
		}
		f := facts(t, h, minimal)
		f.Config.Cluster.Etcd.Local.ExtraArgs = test.args
		if got := lost(t.Context(), f, e, test.member); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestEtcdEndsWhileAsked: why a member ends is told, whatever the request says that was stopped because of it.
func TestEtcdEndsWhileAsked(t *testing.T) {
	f := facts(t, hosttest.New(t), minimal)
	f.Joining = &Joining{ControlPlane: true, Etcd: func(ctx context.Context) (*etcd.Client, error) {
		<-ctx.Done()
		return nil, errors.New("operation was canceled")
	}}
	rt := &hosttest.Runtime{}
	var loop []host.Container
	for n := range 3 {
		at := f.Now.Add(time.Duration(n+1) * time.Second).UnixNano()
		id := fmt.Sprint("c", n)
		loop = append(loop, host.Container{ID: id, Name: config.Etcd, PodName: "etcd-cp1", Attempt: uint32(n),
			PodCreatedAt: at, StartedAt: at, FinishedAt: at + 1, ExitCode: 2})
		rt.SetLogs(id, "panic: the disk is broken")
	}
	rt.SetContainers(loop...)
	err := promoteMember(f).Apply(t.Context(), &plan.Target{Host: f.Host, Runtime: rt})
	if err == nil || !strings.Contains(err.Error(), "the disk is broken") || strings.Contains(err.Error(), "operation was canceled") {
		t.Errorf("error %v", err)
	}
}

// TestWithEtcdStopped: what stopped a question is told, also when it is a call that was cut off which fails.
func TestWithEtcdStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	lost := errors.New("the lock was lost")
	cancel(lost)
	f := facts(t, hosttest.New(t), minimal)
	f.Joining = &Joining{Etcd: func(context.Context) (*etcd.Client, error) { return nil, errors.New("operation was canceled") }}
	if err := withEtcd(ctx, f, func(*etcd.Client) error { return nil }); !errors.Is(err, lost) {
		t.Error(err)
	}
}
