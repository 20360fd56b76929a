package phases

import (
	"context"
	"strconv"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/templates"
)

// Files in which users pass flags to the kubelet (KUBELET_EXTRA_ARGS), on Debian and on Red Hat systems.
const (
	kubeletDefaults  = "/etc/default/kubelet"
	kubeletSysconfig = "/etc/sysconfig/kubelet"
)

// kubeletFirst says that the kubelet starts before the rest is written: half a second passes until it looks at manifests. Where the CA's
// key is not here, nothing would tell that a kubelet without manifests is ours (preflight.Init).
func (f *Facts) kubeletFirst() bool {
	return f.Whole && f.Joining == nil && !f.Skips("kubelet-start") && !f.PKI.ExternalCA()
}

// kubeletStart writes what the kubelet reads, and (re)starts its unit when something of it is newer than the process.
func kubeletStart() Phase {
	return Phase{
		Name: "kubelet-start", About: "Write the kubelet's settings and (re)start its unit",
		Flags: []string{"config", "cri-socket", "dry-run", "image-repository", "node-name", "patches"},
		First: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			steps := []plan.Step{
				plan.File{Path: config.ManifestsDir, Dir: true, Mode: 0o700},
				plan.File{Path: config.KubeletDir, Dir: true, Mode: 0o700},
			}
			files, err := kubeletFiles(f, manifests.KubeletFlags)
			if err != nil {
				return nil, err
			}
			for _, file := range files {
				steps = append(steps, file)
			}
			return append(steps, kubeletUnit(files, config.KubeletKubeconfig)), nil
		},
	}
}

func kubeletFiles(f *Facts, flags func(c *config.Config, hostname string) ([]byte, error)) ([]plan.File, error) {
	type rendered struct {
		path   string
		render func() ([]byte, error)
	}
	list := []rendered{
		{config.KubeletInstanceConfigFile, func() ([]byte, error) { return manifests.InstanceConfigFile(f.Config) }},
		{config.KubeletConfigFile, func() ([]byte, error) {
			data, err := manifests.KubeletConfigFile(f.Config)
			if err != nil {
				return nil, err
			}
			return f.Patches.Apply("kubeletconfiguration", data)
		}},
		{config.KubeletFlagsFile, func() ([]byte, error) { return flags(f.Config, f.Hostname) }},
		{config.KubeletDropIn, func() ([]byte, error) {
			return templates.KubeletDropIn(templates.DropIn{KubeletPath: f.KubeletPath})
		}},
	}
	if !f.KubeletUnit {
		list = append(list, rendered{config.KubeletUnitFile, func() ([]byte, error) {
			return templates.KubeletUnit(templates.Unit{KubeletPath: f.KubeletPath})
		}})
	}
	var files []plan.File
	for _, r := range list {
		data, err := r.render()
		if err != nil {
			return nil, err
		}
		files = append(files, plan.File{Path: r.path, Mode: 0o644, Data: data})
	}
	return files, nil
}

// kubeletUnit is the kubelet's unit, running with the newest of what it reads when it starts. credentials is the kubeconfig that
// the kubelet does not write itself.
func kubeletUnit(files []plan.File, credentials string) plan.Unit {
	u := plan.Unit{
		Name: config.KubeletService, Enabled: true, Running: true,
		RestartOn: []string{kubeletDefaults, kubeletSysconfig, credentials},
		DropIns:   []string{config.KubeletDropIn},
	}
	for _, file := range files {
		u.RestartOn = append(u.RestartOn, file.Path)
	}
	return u
}

// waitKubelet waits for the health endpoint of the kubelet, where patches and the user's flags put it.
func waitKubelet(f *Facts) plan.Wait {
	kubelet := cluster.KubeletProbe(withPatchedKubelet(f))
	what := kubelet.Name + " answers " + kubelet.URL
	if kubelet.URL == "" {
		what = kubelet.Name + " is started (it has no health endpoint)"
	}
	return plan.Wait{
		For:   what,
		Stall: stall(f.Config, func(t *config.Timeouts) timeout { return t.KubeletHealthCheck }),
		Probe: func(ctx context.Context, _ *plan.Target) error { return kubelet.Check(ctx) },
		Watch: watchKubelet(f),
	}
}

// withPatchedKubelet is the configuration with the kubelet's as it will read it. What can't be rendered is an error of the step that
// writes it.
func withPatchedKubelet(f *Facts) *config.Config {
	data, err := manifests.KubeletConfigFile(f.Config)
	if err == nil {
		data, err = f.Patches.Apply("kubeletconfiguration", data)
	}
	kubelet := &config.KubeletConfiguration{}
	if err != nil || yaml.Unmarshal(data, kubelet) != nil {
		return f.Config
	}
	args := f.Config.Init.NodeRegistration.KubeletExtraArgs
	if address, ok := config.ArgValue(args, "healthz-bind-address"); ok {
		kubelet.HealthzBindAddress = address
	}
	if port, ok := config.ArgValue(args, "healthz-port"); ok {
		if n, err := strconv.ParseInt(port, 10, 32); err == nil {
			kubelet.HealthzPort = ptr.To(int32(n))
		}
	}
	c := *f.Config
	c.Kubelet = kubelet
	return &c
}
