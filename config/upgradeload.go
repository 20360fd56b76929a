package config

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Upgrade is the whole input of one run of an upgrade command: what the user said, before the cluster was asked.
type Upgrade struct {
	UpgradeConfiguration
	// Warnings are remarks about the input, to be printed once.
	Warnings []string
}

// NewUpgrade is the empty input: nothing given, nothing defaulted.
func NewUpgrade() *Upgrade { return &Upgrade{} }

// UpgradeYAML is the input as one file that LoadUpgrade reads.
func (u *Upgrade) UpgradeYAML() ([]byte, error) { return encode(upgradeKind, u.UpgradeConfiguration) }

func (u *Upgrade) decoders(l *loader) map[string]func(document) {
	return map[string]func(document){upgradeKind: func(d document) { decode(l, d, &u.UpgradeConfiguration) }}
}

// LoadUpgrade reads the file of --config for the upgrade commands: YAML or JSON with one UpgradeConfiguration. It is as strict as
// LoadInit. Documents of other commands, and component configurations, are left out with a warning: the cluster keeps its own.
func LoadUpgrade(data []byte, name string) (*Upgrade, error) {
	u := NewUpgrade()
	l := loader{name: name}
	seen := l.read(data, "upgrade", u.decoders(&l))
	u.Warnings = l.warnings
	if !seen[upgradeKind] && len(l.problems) == 0 {
		return nil, fmt.Errorf("cannot read %s: it holds no %s of %s", name, upgradeKind, APIVersion)
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	return u, nil
}

// SetDefaults fills the fields that were left out; nothing depends on the machine. Doing it twice is the same as doing it once.
// Wrong values are left alone for Validate. The error is always nil, for the sake of one signature with Config.
func (u *Upgrade) SetDefaults(Dynamic) error {
	u.TypeMeta = metav1.TypeMeta{APIVersion: APIVersion, Kind: upgradeKind}
	for _, f := range []**bool{
		&u.Apply.CertificateRenewal, &u.Apply.EtcdUpgrade, &u.Apply.ImagePullSerial,
		&u.Node.CertificateRenewal, &u.Node.EtcdUpgrade, &u.Node.ImagePullSerial, &u.Plan.EtcdUpgrade,
	} {
		if yes := true; *f == nil {
			*f = &yes
		}
	}
	setDefault(&u.Apply.ImagePullPolicy, corev1.PullIfNotPresent)
	setDefault(&u.Node.ImagePullPolicy, corev1.PullIfNotPresent)
	if u.Timeouts == nil {
		u.Timeouts = &Timeouts{}
	}
	u.Timeouts.setDefaults()
	return nil
}

// Validate says everything that is wrong with the input, each problem with the path of its field in v1beta4 and with what
// would be right. Call it after SetDefaults. Whether a cluster may go to a version is for the command to judge.
func (u *Upgrade) Validate() error {
	p := &problems{}
	for _, b := range []struct {
		field   string
		patches *Patches
		policy  corev1.PullPolicy
		ignored []string
	}{
		{"apply.", u.Apply.Patches, u.Apply.ImagePullPolicy, u.Apply.IgnorePreflightErrors},
		{"node.", u.Node.Patches, u.Node.ImagePullPolicy, u.Node.IgnorePreflightErrors},
		{"plan.", nil, "", u.Plan.IgnorePreflightErrors},
	} {
		if b.patches != nil {
			checkAbsolute(p, b.field+"patches.directory", b.patches.Directory)
		}
		checkPullPolicy(p, b.field+"imagePullPolicy", b.policy)
		checkIgnored(p, b.field+"ignorePreflightErrors", b.ignored)
	}
	for _, v := range [][2]string{
		{"apply.kubernetesVersion", u.Apply.KubernetesVersion}, {"diff.kubernetesVersion", u.Diff.KubernetesVersion},
		{"plan.kubernetesVersion", u.Plan.KubernetesVersion},
	} {
		if _, err := ParseVersion(v[1]); v[1] != "" && err != nil && !IsVersionLabel(v[1]) {
			p.add(v[0], "%q is neither a version such as %s nor a label such as stable-1.%d", v[1], DefaultKubernetesVersion, MaximumMinor)
		}
	}
	if u.Diff.ContextLines < 0 {
		p.add("diff.contextLines", "%d is negative; want the number of lines around a difference", u.Diff.ContextLines)
	}
	u.Timeouts.check(p)
	return p.err()
}
