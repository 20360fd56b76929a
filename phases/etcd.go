package phases

import (
	"context"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// etcdLocal runs a member of etcd on this machine, unless somebody else runs etcd.
func etcdLocal() Phase {
	return Phase{Name: "etcd", About: "Write the static pod manifest of the local etcd", Sub: []Phase{{
		Name: "local", About: "Write the static pod manifest of a local, single-member etcd",
		Flags: []string{"cert-dir", "config", "dry-run", "image-repository", "patches"},
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			if f.Config.ExternalEtcd() {
				return nil, nil
			}
			data := plan.File{Path: f.Config.Cluster.Etcd.Local.DataDir, Dir: true, Mode: 0o700}
			pod, err := staticPod(f, config.Etcd, manifests.Etcd)
			if err != nil {
				return nil, err
			}
			return append([]plan.Step{data}, pod...), nil
		},
	}}}
}
