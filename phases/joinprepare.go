package phases

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/preflight"
)

// preflightJoin runs the checks of join while the plan is made. What it wants changed is only the images that are missing.
func preflightJoin() Phase {
	return Phase{
		Name: "preflight", About: "Run the pre-flight checks and pull the images", Flags: joinFlags("ignore-preflight-errors"),
		Steps: func(ctx context.Context, f *Facts) ([]plan.Step, error) {
			if f.Preflight == nil {
				return nil, nil
			}
			j := f.Joining
			return checked(ctx, f, j.ControlPlane, preflight.Join(f.Stored(), f.checkedMachine(), f.Resume, preflight.Joining{
				ControlPlane: j.ControlPlane, Endpoint: j.Endpoint, CA: j.CA, CACertPath: j.CACertPath,
				Skew: j.Skew, Signs: j.ControlPlane && !f.PKI.ExternalCA(),
			}))
		},
	}
}

// joinFlags are the flags that say which cluster is joined, which every phase of join needs, and some more.
func joinFlags(more ...string) []string {
	return append([]string{
		"apiserver-advertise-address", "apiserver-bind-port", "certificate-key", "config", "control-plane", "cri-socket",
		"discovery-file", "discovery-token", "discovery-token-ca-cert-hash", "discovery-token-unsafe-skip-ca-verification",
		"dry-run", "node-name", "patches", "tls-bootstrap-token", "token",
	}, more...)
}

// forControlPlanes makes the steps of a phase that workers do not have.
func forControlPlanes(steps func(context.Context, *Facts) ([]plan.Step, error)) func(context.Context, *Facts) ([]plan.Step, error) {
	return func(ctx context.Context, f *Facts) ([]plan.Step, error) {
		if !f.Joining.ControlPlane {
			return nil, nil
		}
		return steps(ctx, f)
	}
}

// controlPlanePrepare writes what the components of a control-plane node read.
func controlPlanePrepare() Phase {
	return Phase{Name: "control-plane-prepare", About: "Prepare the machine for the control plane", Sub: []Phase{
		{
			Name: "download-certs", About: "Download the certificates that control-plane nodes share", Flags: joinFlags(),
			Steps: forControlPlanes(downloadCerts),
		},
		{
			Name: "certs", About: "Generate the certificates of this node", Flags: joinFlags(),
			Steps: forControlPlanes(joinCerts),
		},
		{
			Name: "kubeconfig", About: "Generate the kubeconfig files of the control plane and the administrator", Flags: joinFlags(),
			Steps: forControlPlanes(func(_ context.Context, f *Facts) ([]plan.Step, error) {
				return rows(f, "admin", "controller-manager", "scheduler")
			}),
		},
		{
			Name: "control-plane", About: "Write the static pod manifests of the control plane", Flags: joinFlags(),
			Steps: forControlPlanes(func(_ context.Context, f *Facts) ([]plan.Step, error) {
				if f.etcdFirst() {
					return nil, nil
				}
				return joinedComponents(f)
			}),
		},
	}}
}

// etcdFirst says that the components start when this machine's etcd serves. An API server that is earlier asks in vain, and may take
// seconds until its next try; so may the kubelet, which then registers the node.
func (f *Facts) etcdFirst() bool { return f.Whole && f.joinsEtcd() && !f.Skips("etcd-join") }

// joinedComponents are the manifests of the components but etcd.
func joinedComponents(f *Facts) ([]plan.Step, error) {
	var steps []plan.Step
	for _, c := range []component{apiServer, manager, scheduler} {
		pod, err := staticPod(f, c.name, c.build)
		if err != nil {
			return nil, err
		}
		steps = append(steps, pod...)
	}
	return steps, nil
}

// downloadCerts writes the shared files that are not here. One that is here stays: the steps after this one check it.
func downloadCerts(ctx context.Context, f *Facts) ([]plan.Step, error) {
	steps, err := certDirs(ctx, f)
	if err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(f.Joining.Shared)) {
		if f.Host.Exists(path) {
			continue
		}
		file := f.Joining.Shared[path]
		steps = append(steps, plan.File{Path: path, Mode: file.Mode, Data: file.Data, Secret: file.Secret})
	}
	return steps, nil
}

// joinCerts makes the certificates of this node, signed by the CAs that all share.
func joinCerts(_ context.Context, f *Facts) ([]plan.Step, error) {
	if err := needShared(f, "make the certificates of this node"); err != nil {
		return nil, err
	}
	var names []string
	for _, row := range pki.Certificates() {
		names = append(names, row.Name)
	}
	steps, err := rows(f, names...)
	// What was downloaded has its steps already.
	return slices.DeleteFunc(steps, func(s plan.Step) bool {
		file, ok := s.(plan.File)
		_, shared := f.Joining.Shared[file.Path]
		return ok && shared
	}), err
}

// needShared is the error that files are not here which all control-plane nodes share, so that something can't be done.
func needShared(f *Facts, to string) error {
	missing := f.PKI.MissingShared()
	if missing == nil {
		return nil
	}
	return fmt.Errorf("cannot %s: these files, which all control-plane nodes share, are not here:\n  %s\n"+
		"copy them from a control-plane node; or run there: kubewright init phase upload-certs --upload-certs\n"+
		"and join with the --certificate-key that it prints", to, strings.Join(missing, "\n  "))
}

// rows are the files of several rows of the PKI.
func rows(f *Facts, names ...string) ([]plan.Step, error) {
	var steps []plan.Step
	for _, name := range names {
		files, err := pkiSteps(f, name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, files...)
	}
	return steps, nil
}
