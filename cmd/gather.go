package cmd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/templates"
)

// session is one run's hold on the machine.
type session struct {
	host   *host.Host
	target *plan.Target
	facts  *phases.Facts
	// late, when set, is asked for the rest of the plan when the run has come to the first of the phases lateAt.
	late   func(ctx context.Context, rest plan.Plan) (plan.Plan, error)
	lateAt []string
	// noRuntime is why the container runtime can't be reached.
	noRuntime error
	// takesBack are the runs that a rollback takes back.
	takesBack []plan.PastRun
	// lost ends the run when a lock that it holds in the cluster was lost.
	lost func(error)
}

// run applies the plan.
func (s *session) run(ctx context.Context, r *plan.Runner, p plan.Plan) (changes int, err error) {
	first, rest := p.Cut(s.lateAt...)
	if changes, err = r.Run(ctx, first); err != nil || s.late == nil {
		return changes, err
	}
	if rest, err = s.late(ctx, rest); err != nil {
		return changes, err
	}
	n, err := r.Run(ctx, rest)
	return changes + n, err
}

func (s *session) close() {
	if s.facts != nil && s.facts.Joining != nil {
		s.facts.Joining.Lock.Unlock()
	}
	if s.target.Systemd != nil {
		s.target.Systemd.Close()
	}
	if s.target.Runtime != nil {
		_ = s.target.Runtime.Close()
	}
}

// gather looks at the machine and puts together all that the phases ask for.
func (f *initFlags) gather(ctx context.Context, env *Env, h *host.Host, in *initInput) (*session, error) {
	s := offline(h)
	if !f.elsewhere() {
		s = connect(ctx, env, h, in.config.Init.NodeRegistration.CRISocket)
	}
	patches, err := manifests.Patches(in.patches)
	if err != nil {
		return s, err
	}
	set := pki.Plan(pki.Input{
		Config: in.config, Read: h.ReadFile, Now: h.Time(), Rand: rand.Reader,
		KubeconfigDir: f.kubeconfigDir,
	})
	s.facts = &phases.Facts{
		Config: in.config, Host: h, Runtime: s.target.Runtime, PKI: set, Patches: patches, Hostname: in.hostname,
		Node: manifests.Node{
			Config: in.config, CADirs: caDirs(h), Proxy: proxyVariables(env.Environ), Hash: set.Hash,
			ExternalCA: set.ExternalCA(),
		},
		KubeletPath: kubeletPath(h), KubeletUnit: foreignKubeletUnit(h),
		Now: h.Time(), Rand: rand.Reader,
		Skip: in.config.Init.SkipPhases, Named: f.phase != "", Whole: f.phase == "" && !f.elsewhere(), UploadCerts: f.uploadCerts,
		AdminKubeconfig: f.kubeconfig, KubeconfigDir: f.kubeconfigDir,
	}
	s.facts.Client = clients(s.facts, in.config.LocalAPIURL())
	if !f.elsewhere() {
		m := env.Machine.Preflight(h, s.target.Systemd, s.target.Runtime)
		m.NoSystemd = s.target.NoSystemd
		s.facts.Preflight, s.facts.Listeners = &m, m.Listeners
	}
	return s, f.certificateKeyFor(s.facts)
}

// offline has the files of a machine, and nothing that runs there.
func offline(h *host.Host) *session { return &session{host: h, target: &plan.Target{Host: h}} }

// connect reaches systemd and the runtime. That they can't be reached is for the checks to say; a plan goes without.
func connect(ctx context.Context, env *Env, h *host.Host, criSocket string) *session {
	s := offline(h)
	patiently := func(try func(context.Context)) { // each has its own time: one that hangs is no reason to go without the other
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		try(ctx)
	}
	patiently(func(ctx context.Context) {
		m, err := env.Machine.Systemd(ctx)
		if s.target.NoSystemd = err; err == nil {
			s.target.Systemd = m
		}
	})
	patiently(func(ctx context.Context) {
		r, err := env.Machine.Runtime(ctx, s.host, criSocket)
		if s.noRuntime, s.target.NoRuntime = err, err; err == nil {
			s.target.Runtime = r
		}
	})
	return s
}

// certificateKeyFor takes the key that the user gave, or makes one up.
func (f *initFlags) certificateKeyFor(facts *phases.Facts) error {
	if given := facts.Config.Init.CertificateKey; given != "" {
		key, err := hex.DecodeString(given)
		if err != nil {
			return cause.Usage.Mark(errors.New("cannot use the certificate key: it is not hexadecimal"))
		}
		facts.CertificateKey, facts.CertificateKeyGiven = key, true
		return nil
	}
	facts.KeepCerts = f.phase == ""
	facts.CertificateKey = make([]byte, 32)
	_, err := rand.Read(facts.CertificateKey)
	return err
}

// clients opens kubeconfigs as they are or will be. They talk to the server that they name; only admin.conf and
// super-admin.conf talk to local, unless it is empty: init talks to the API server of this machine, even where a load balancer
// in front of it is not up yet.
func clients(f *phases.Facts, local string) func(string) (*cluster.Client, error) {
	open := map[string]*cluster.Client{}
	return func(path string) (*cluster.Client, error) {
		if c := open[path]; c != nil {
			return c, nil
		}
		data := f.PKI.Data(path)
		if data == nil {
			var err error
			if data, err = f.Host.ReadFile(path); err != nil {
				return nil, fmt.Errorf("cannot talk to the cluster: %w", err)
			}
		}
		o := cluster.Options{Read: f.Host.ReadFile, Dial: f.Host.Dialer, Patience: apiPatience(f.Config.Init.Timeouts)}
		if path == config.AdminKubeconfig || path == config.SuperAdminKubeconfig {
			o.Server = local
		}
		c, err := cluster.New(data, o)
		if err != nil {
			return nil, fmt.Errorf("cannot use the credentials in %s: %w", path, err)
		}
		open[path] = c
		return c, nil
	}
}

// apiPatience is how long the API is asked again while the same thing is wrong; zero means as long as usual.
func apiPatience(t *config.Timeouts) time.Duration {
	if t == nil || t.KubernetesAPICall == nil {
		return 0
	}
	return t.KubernetesAPICall.Duration
}

// caDirs are the places, beside /etc/ssl/certs, where distributions keep root certificates; static pods see those that exist.
func caDirs(h *host.Host) []string {
	var dirs []string
	for _, dir := range manifests.CADirs {
		if info, err := h.Stat(dir); err == nil && info.IsDir() {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// proxyVariables picks the variables that end in _proxy, in any letter case, as kubeadm does.
func proxyVariables(environ []string) []corev1.EnvVar {
	var vars []corev1.EnvVar
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if value != "" && strings.HasSuffix(strings.ToLower(name), "_proxy") {
			vars = append(vars, corev1.EnvVar{Name: name, Value: value})
		}
	}
	return vars
}

func kubeletPath(h *host.Host) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if p := filepath.Join(dir, "kubelet"); filepath.IsAbs(p) && h.Exists(p) {
			return p
		}
	}
	return "/usr/bin/kubelet"
}

// foreignKubeletUnit says whether somebody else brings a kubelet.service, the distribution or the user: then ours is not written.
func foreignKubeletUnit(h *host.Host) bool {
	if have, err := h.ReadFile(config.KubeletUnitFile); err == nil && !strings.Contains(string(have), templates.Marker) {
		return true
	}
	for _, dir := range []string{"/usr/lib/systemd/system", "/lib/systemd/system", "/usr/local/lib/systemd/system", "/run/systemd/system"} {
		if h.Exists(filepath.Join(dir, config.KubeletService)) {
			return true
		}
	}
	return false
}
