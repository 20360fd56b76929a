package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/phases"
)

// etcdMember is this machine's member of etcd, by its manifest; nil when there is none: then no data is this node's.
func (f *resetFlags) etcdMember(ctx context.Context, s *session) (*phases.EtcdMember, error) {
	manifest := config.ManifestsDir + "/" + config.Etcd + ".yaml"
	data, err := s.host.ReadFile(manifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{}
	if err := yaml.Unmarshal(data, pod); err != nil || len(pod.Spec.Containers) == 0 {
		return nil, cause.Refused.Mark(fmt.Errorf("cannot tell what etcd on this machine is: %s is no manifest of a pod\n"+
			"mend it, or move it away if its data is not needed any more", manifest))
	}
	dirs := phases.EtcdDataDirs(pod)
	if len(dirs) == 0 {
		return nil, cause.Refused.Mark(fmt.Errorf("cannot tell where etcd keeps its data: %s does not say it", manifest))
	}
	known, err := f.knownOfEtcd(ctx, s, pod, dirs[0])
	if err != nil {
		return nil, err
	}
	e := &phases.EtcdMember{
		DataDirs: dirs, Standing: etcd.Stand(ctx, known), Wipe: f.wipeEtcd, Regardless: f.forceDataLoss,
		Running: func() (bool, error) {
			_, err := etcd.ReadMembers(known.DB)
			return errors.Is(err, etcd.ErrRunning), nil // what is wrong with data that is moved aside is nobody's business now
		},
	}
	e.Leave = func(ctx context.Context, progress func(string)) error { return known.Leave(ctx, e.Standing, progress) }
	e.Gone = func(ctx context.Context) (bool, error) { return known.Gone(ctx, e.Standing) }
	e.Lock = func(ctx context.Context, progress func(string)) (func(), error) {
		c := s.facts.Resetting.Cluster
		if c == nil {
			return func() {}, nil // nobody joins such a cluster
		}
		held, err := c.Lock(ctx, "etcd", holder(s.facts.Resetting.Node), cluster.LockOptions{TTL: lockTTL, Alone: true, Progress: progress})
		if err != nil {
			return func() {}, fmt.Errorf("%w\nthe member leaves without it: a control plane that joins at the same moment may have to join again", err)
		}
		return held.Unlock, nil
	}
	return e, nil
}

// knownOfEtcd is what the manifest says of the member and the others, and the API of them all.
func (f *resetFlags) knownOfEtcd(ctx context.Context, s *session, pod *corev1.Pod, dataDir string) (etcd.Known, error) {
	args := manifests.FlagsOf(phases.CommandLine(pod))
	k := etcd.Known{
		Name: args["name"], PeerURL: args["initial-advertise-peer-urls"],
		Seeds: strings.Split(cmp.Or(args["advertise-client-urls"], args["listen-client-urls"]), ","),
		DB:    filepath.Join(s.host.Root, dataDir, "member/snap/db"),
	}
	for _, member := range strings.Split(args["initial-cluster"], ",") {
		if _, url, ok := strings.Cut(member, "="); ok {
			k.Manifest = append(k.Manifest, url)
		}
	}
	if c := s.facts.Resetting.Cluster; c != nil {
		endpoints, err := c.WithPatience(shortPatience).EtcdEndpoints(ctx)
		if err == nil { // a kubelet may not know; the data and the members do
			k.Seeds = append(k.Seeds, endpoints...)
		}
	}
	dir := filepath.Join(s.facts.Resetting.CertificatesDir, "etcd")
	if ca := args["trusted-ca-file"]; filepath.IsAbs(ca) {
		dir = filepath.Dir(ca)
	}
	for name, to := range map[string]*[]byte{"ca.crt": &k.CA, "healthcheck-client.crt": &k.Cert, "healthcheck-client.key": &k.Key} {
		data, err := s.host.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return k, err
		}
		*to = data // without it nobody will answer, and it is told why
	}
	return k, nil
}

// clearLock gives the lock of etcd's members back where an earlier run was killed that had taken the member out already.
func clearLock(ctx context.Context, s *session) {
	r := s.facts.Resetting
	if r.Cluster != nil && r.Etcd != nil && r.Etcd.Standing.Answered && r.Etcd.Standing.Self == nil {
		r.Cluster.ClearLock(ctx, "etcd", holder(r.Node))
	}
}
