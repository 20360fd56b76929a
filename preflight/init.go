package preflight

import (
	"context"
	"slices"
	"sync"

	"github.com/kubewright/kubewright/config"
)

// Init lists the checks of init, in kubeadm's order: for the first control-plane node of the cluster that c describes, which
// must be defaulted and valid. resume says what an earlier run of init may have left.
func Init(c *config.Config, m Machine, resume Resume) []Check {
	i := &initChecks{c: c, m: m, resume: resume}
	i.kubelet.ask = i.askKubelet
	i.containers.ask = i.askContainers
	checks := []Check{
		{Name: "IsPrivilegedUser", Gate: true, Find: i.privilegedUser},
		{Name: "NumCPU", Find: i.cpus},
		{Name: "Mem", Find: i.memory},
		{Name: "Firewalld", Find: i.firewalld},
	}
	return append(checks, slices.Concat(
		i.controlPlanePorts(),
		i.manifests(),
		[]Check{
			{Name: "HTTPProxy", Find: i.proxy},
			{Name: "HTTPProxyCIDR", Find: i.proxyCIDR},
			{Name: "CRI", Find: i.cri},
			{Name: "ContainerRuntimeVersion", Find: i.runtimeConfig},
			{Name: "Swap", Find: i.swap},
		},
		i.programs(),
		[]Check{
			{Name: "SystemVerification", Limit: kubeletLimit, Find: i.system},
			{Name: "Hostname", Find: i.hostname},
			{Name: "KubeletVersion", Limit: kubeletLimit, Find: i.kubeletSkew},
			{Name: "Service-kubelet", Find: i.kubeletService},
			i.kubeletPort(),
		},
		i.forwarding(),
		i.etcd(),
		[]Check{{Name: "ImagePull", Find: i.images}},
	)...)
}

// initChecks is what the checks of init look at.
type initChecks struct {
	c      *config.Config
	m      Machine
	resume Resume
	join   *Joining // nil for init
	// kubelet and containers are answers that several checks need.
	kubelet    shared[string]
	containers shared[[]string]
}

// shared is a question that is asked once, by whoever needs the answer first.
type shared[T any] struct {
	ask    func(context.Context) (T, error)
	once   sync.Once
	answer T
	err    error
}

func (s *shared[T]) get(ctx context.Context) (T, error) {
	s.once.Do(func() { s.answer, s.err = s.ask(ctx) })
	return s.answer, s.err
}
