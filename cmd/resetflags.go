package cmd

import (
	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// resetFlags are the flags of reset and its phases. They have kubeadm's names and meaning; --cni, --force-data-loss and --wipe-etcd
// are ours.
type resetFlags struct {
	runFlags
	configFile string
	// phase is the one phase that is run, or empty for all.
	phase string
	// skipped are the phases that are left out.
	skipped []string
	// only, when set, are the runs that are taken back, in place of all.
	only []plan.PastRun
	// noCluster is why the cluster can't be asked about the node.
	noCluster error

	certDir, criSocket, kubeconfig                  string
	ignorePreflight, skipPhases                     []string
	cleanupTmp, cni, force, forceDataLoss, wipeEtcd bool
}

// flagSet declares all of them; a phase picks those that it understands.
func (f *resetFlags) flagSet() *pflag.FlagSet {
	s := pflag.NewFlagSet("reset", pflag.ContinueOnError)
	s.StringVar(&f.configFile, "config", "", "file with a ResetConfiguration (kubeadm.k8s.io/v1beta4); - is stdin")
	s.BoolVar(&f.dryRun, "dry-run", false, "print what would go, and change nothing")
	s.BoolVarP(&f.force, "force", "f", false, "do not ask")
	s.StringVar(&f.certDir, "cert-dir", "", "directory of the certificates (default: the cluster's)")
	s.BoolVar(&f.cleanupTmp, "cleanup-tmp-dir", false, "remove /etc/kubernetes/tmp, too, where backups may be")
	s.BoolVar(&f.cni, "cni", false, "remove the configuration of the pod network (CNI), too, with the interfaces and rules of the plug-ins that are known, whoever uses them")
	s.StringVar(&f.criSocket, "cri-socket", "", "socket of the container runtime (default: the kubelet's)")
	s.BoolVar(&f.forceDataLoss, "force-data-loss", false,
		"reset this member of etcd although the others lose their quorum, or none of them answers")
	s.StringSliceVar(&f.ignorePreflight, "ignore-preflight-errors", nil, "checks whose errors become warnings; all means every check")
	s.StringVar(&f.kubeconfig, "kubeconfig", config.AdminKubeconfig, "credentials with which the node is removed from the cluster")
	s.StringSliceVar(&f.skipPhases, "skip-phases", nil, "phases to leave out")
	s.BoolVar(&f.wipeEtcd, "wipe-etcd", false, "delete etcd's data instead of moving it aside")
	ownFlags(s, "cni", "force-data-loss", "wipe-etcd")
	return s
}

func (f *resetFlags) common() *runFlags    { return &f.runFlags }
func (f *resetFlags) setPhase(name string) { f.phase = name }
func (f *resetFlags) argument() string     { return "" }

// load reads the configuration, puts the flags into it and checks the whole.
func (f *resetFlags) load(env *Env, flags *pflag.FlagSet) (*config.Reset, error) {
	if err := checkMixed(flags); err != nil {
		return nil, err
	}
	c := config.NewReset()
	data, name, err := readConfig(env, f.configFile)
	if err == nil && data != nil {
		c, err = config.LoadReset(data, name)
	}
	if err != nil {
		return nil, err
	}
	set := func(name string, to *string, value string) {
		if flags.Changed(name) {
			*to = value
		}
	}
	set("cert-dir", &c.CertificatesDir, f.certDir)
	set("cri-socket", &c.CRISocket, f.criSocket)
	for name, to := range map[string]*bool{"cleanup-tmp-dir": &c.CleanupTmpDir, "dry-run": &c.DryRun, "force": &c.Force} {
		if flags.Changed(name) {
			*to, _ = flags.GetBool(name)
		}
	}
	c.IgnorePreflightErrors = append(c.IgnorePreflightErrors, f.ignorePreflight...)
	if len(f.skipPhases) > 0 {
		c.SkipPhases = f.skipPhases
	}
	if err := c.SetDefaults(config.Dynamic{}); err != nil {
		return nil, err
	}
	return c, c.Validate()
}
