package phases

import (
	"context"

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

// kubeletStart writes what the kubelet reads, and (re)starts its unit when something of it is newer than the process.
func kubeletStart() Phase {
	return Phase{
		Name: "kubelet-start", About: "Write the kubelet's settings and (re)start its unit",
		Flags: []string{"config", "cri-socket", "dry-run", "image-repository", "node-name", "patches"},
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
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
