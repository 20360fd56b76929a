package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/plan"
)

// gather finds out what this machine is, by the journals, the files and the cluster.
func (f *resetFlags) gather(ctx context.Context, env *Env, h *host.Host, c *config.Reset, flags *pflag.FlagSet, out *reporter) (*session, error) {
	runs, err := plan.History(h)
	switch {
	case err == nil:
	case f.dryRun && errors.Is(err, fs.ErrPermission):
		out.warn([]string{plan.Unreadable(err) + ": what was there before init or join can't be told"})
	default:
		return nil, cause.Refused.Mark(fmt.Errorf("%w\nit tells what was on this machine before init or join, and must stay\n"+
			"to go by kubeadm's usual paths alone, move %s away", err, plan.RunsDir))
	}
	if f.only != nil {
		runs = f.only
	}
	node, err := resetNode(env, h)
	if err != nil {
		return nil, err
	}
	flagsOfKubelet := kubeletFlagsOnDisk(h)
	r := &phases.Resetting{
		Node: node, Origin: plan.OriginOf(runs, onNodes()...), Machine: thisMachine(env, h),
		KubeletDir: flagOr(flagsOfKubelet, "root-dir", config.KubeletDir), KubeletCertDir: flagsOfKubelet["cert-dir"],
		CleanupTmp: c.CleanupTmpDir, CNI: f.cni, Network: env.Machine.Network,
	}
	if r.Settled, err = plan.TakenBack(h, gaveBack); err != nil && !f.dryRun {
		return nil, err
	}
	if r.UnmountFlags, err = host.ParseUnmountFlags(c.UnmountFlags); err != nil {
		return nil, err
	}
	socket, err := resetSocket(env, h, c, flagsOfKubelet)
	s := connect(ctx, env, h, socket)
	if err != nil {
		s.noRuntime = err
	}
	r.NoRuntime = s.noRuntime
	s.facts = &phases.Facts{
		Host: h, Runtime: s.target.Runtime, Now: h.Time(), Skip: c.SkipPhases, Named: f.phase != "", Resetting: r,
	}
	if err := f.meetCluster(ctx, h, flags, r); err != nil {
		return s, err
	}
	r.CertificatesDir = certificatesDirOf(ctx, h, c, r.Cluster)
	r.Ours = ours(h, r)
	if r.Etcd, err = f.etcdMember(ctx, s); f.dryRun && errors.Is(err, fs.ErrPermission) {
		out.warn([]string{"what etcd on this machine is can't be told: " + plan.Unreadable(err)})
		err = nil
	}
	return s, err
}

// undoing are the commands whose records tell of no time before them.
func undoing() []string { return []string{phases.Reset().Name, phases.RollbackName} }

// onNodes are those and the commands that work on what is there: whose it is, they do not say.
func onNodes() []string { return append(undoing(), phases.RenewName, phases.RequestsName) }

// gaveBack says that a run was one after which the machine was no node any more: a reset, or a rollback that did the same.
func gaveBack(r plan.PastRun) bool {
	cleaned := slices.ContainsFunc(r.Phases, func(p plan.PhaseResult) bool { return p.Phase == "cleanup-node" })
	return r.Command == phases.Reset().Name || r.Command == phases.RollbackName && cleaned
}

// resetNode is the name of the node that this machine is.
func resetNode(env *Env, h *host.Host) (string, error) {
	if name := nodeName(h); name != "" {
		return name, nil
	}
	return env.Machine.Hostname()
}

// ours says that the journals tell all that was made here: nothing of a node is there that kubewright has not put there. Without
// journals, kubeadm's usual paths count only where there is a sign of its work: keys alone may be what a user has laid out for an
// init to come.
func ours(h *host.Host, r *phases.Resetting) bool {
	for _, path := range []string{config.KubeletFlagsFile, config.ManifestsDir + "/" + config.APIServer + ".yaml"} {
		if h.Exists(path) && !r.Origin.Made(path) {
			return false
		}
	}
	at := func(name string) bool { return h.Exists(filepath.Join(r.CertificatesDir, name)) }
	switch {
	case len(r.Origin.Files) > 0:
		return true
	case h.Exists(config.KubeletKubeconfig) || h.Exists(config.BootstrapKubeletKubeconfig):
		return false
	}
	return !at("ca.key") || !at("apiserver.crt")
}

// kubeletFlagsOnDisk are the flags that an earlier run gave the kubelet, by name.
func kubeletFlagsOnDisk(h *host.Host) map[string]string {
	text, _ := h.ReadFile(config.KubeletFlagsFile) // none was written, or the kubelet can't read it either
	flags := map[string]string{}
	for _, word := range strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" \t\n\"", r) }) {
		if name, value, ok := strings.Cut(strings.TrimPrefix(word, "KUBELET_KUBEADM_ARGS="), "="); ok {
			flags[strings.TrimLeft(name, "-")] = value
		}
	}
	return flags
}

func flagOr(flags map[string]string, name, usual string) string {
	if value := flags[name]; value != "" {
		return path.Join("/", value)
	}
	return usual
}

// thisMachine is what tells this machine's Node from that of another machine.
func thisMachine(env *Env, h *host.Host) cluster.Machine {
	read := func(path string) string {
		text, _ := h.ReadFile(path) // what can't be read is not compared
		return strings.TrimSpace(string(text))
	}
	m := cluster.Machine{
		BootID: read("/proc/sys/kernel/random/boot_id"), MachineID: read("/etc/machine-id"), HasAddress: env.Machine.HasAddress,
	}
	up, _, _ := strings.Cut(read("/proc/uptime"), " ")
	if seconds, err := strconv.ParseFloat(up, 64); err == nil {
		m.Booted = h.Time().Add(-time.Duration(seconds * float64(time.Second)))
	}
	return m
}

// resetSocket is the runtime's: the one that was named, or the kubelet's, or the one that is there.
func resetSocket(env *Env, h *host.Host, c *config.Reset, flags map[string]string) (string, error) {
	if c.CRISocket != "" {
		return c.CRISocket, nil
	}
	for _, file := range []string{config.KubeletInstanceConfigFile, config.KubeletConfigFile} {
		if k := kubeletOnDisk(h, file); k.ContainerRuntimeEndpoint != "" {
			return k.ContainerRuntimeEndpoint, nil
		}
	}
	if socket := flags["container-runtime-endpoint"]; socket != "" {
		return socket, nil
	}
	return env.Machine.DetectRuntime(h)
}

func kubeletOnDisk(h *host.Host, file string) *config.KubeletConfiguration {
	k := &config.KubeletConfiguration{}
	data, err := h.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(data, k)
	}
	if err != nil {
		return &config.KubeletConfiguration{}
	}
	return k
}

// shortPatience is how long a cluster is asked again that may be gone.
const shortPatience = 5 * time.Second

// meetCluster connects with the administrator's credentials, or with the kubelet's. That nobody answers is no reason not to reset.
func (f *resetFlags) meetCluster(ctx context.Context, h *host.Host, flags *pflag.FlagSet, r *phases.Resetting) error {
	path, err := filepath.Abs(f.kubeconfig)
	if err != nil {
		return err
	}
	data, err := h.ReadFile(path)
	if err != nil && flags.Changed("kubeconfig") {
		return err
	}
	if err != nil {
		if data, err = h.ReadFile(config.KubeletKubeconfig); err != nil {
			return nil //nolint:nilerr // it is no node, or was reset halfway
		}
	}
	client, err := cluster.New(data, cluster.Options{Read: h.ReadFile, Dial: h.Dialer, Timeout: 10 * time.Second, Patience: shortPatience})
	if err == nil {
		err = client.Up(ctx) // one that is not ready would let each question wait
	}
	if err != nil && !f.runs("remove-node") {
		return nil
	}
	if err != nil {
		f.noCluster = err
		return nil
	}
	r.Cluster = client
	r.ControlPlanes, _ = client.ControlPlaneNodes(ctx) // a kubelet may not know
	return nil
}

// certificatesDirOf is the directory that the user names, else the one that the components of this machine use, else the cluster's.
func certificatesDirOf(ctx context.Context, h *host.Host, c *config.Reset, client *cluster.Client) string {
	if c.CertificatesDir != "" {
		return c.CertificatesDir
	}
	if dir := certificatesDirOnDisk(h); dir != "" {
		return dir
	}
	var stored struct{ CertificatesDir string }
	if client != nil {
		if c, err := client.NodeConfiguration(ctx); err == nil && yaml.Unmarshal(c.Cluster, &stored) == nil && path.IsAbs(stored.CertificatesDir) {
			return stored.CertificatesDir
		}
	}
	return config.DefaultCertificatesDir
}

// certificatesDirOnDisk is the directory that the components of this machine use, or else the kubelet; "" where neither tells.
func certificatesDirOnDisk(h *host.Host) string {
	pod := &corev1.Pod{}
	if data, err := h.ReadFile(config.ManifestsDir + "/" + config.APIServer + ".yaml"); err == nil && yaml.Unmarshal(data, pod) == nil {
		for _, container := range pod.Spec.Containers {
			for _, arg := range container.Command {
				if ca, ok := strings.CutPrefix(arg, "--client-ca-file="); ok && path.IsAbs(ca) {
					return path.Dir(ca)
				}
			}
		}
	}
	if ca := kubeletOnDisk(h, config.KubeletConfigFile).Authentication.X509.ClientCAFile; path.IsAbs(ca) {
		return path.Dir(ca)
	}
	return ""
}
