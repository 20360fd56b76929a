package config

import "fmt"

// Join is the whole input of one run of join: what the user said, before the cluster was asked.
type Join struct {
	JoinConfiguration
	// Warnings are remarks about the input, to be printed once.
	Warnings []string
	// SystemdResolved says that systemd-resolved runs on this machine, so that the kubelet must read its upstream list.
	SystemdResolved bool
	// Known says that the machine knows the cluster by what an earlier run left here, so that discovery may be left out.
	Known bool
}

// NewJoin is the empty input: nothing given, nothing defaulted.
func NewJoin() *Join { return &Join{} }

// ControlPlaneJoin says that the machine becomes a control-plane node, not a worker.
func (j *Join) ControlPlaneJoin() bool { return j.ControlPlane != nil }

// JoinYAML is the input as one file that LoadJoin reads. It holds tokens and the certificate key: it is a secret.
func (j *Join) JoinYAML() ([]byte, error) { return encode(joinKind, j.JoinConfiguration) }

func (j *Join) decoders(l *loader) map[string]func(document) {
	return map[string]func(document){joinKind: func(d document) { decode(l, d, &j.JoinConfiguration) }}
}

// LoadJoin reads the file of --config for join: YAML or JSON with one JoinConfiguration. It is as strict as LoadInit. Documents
// of other commands, and component configurations, are left out with a warning: join takes them from the cluster.
func LoadJoin(data []byte, name string) (*Join, error) {
	j := NewJoin()
	l := loader{name: name}
	seen := l.read(data, "join", j.decoders(&l))
	j.Warnings = l.warnings
	if !seen[joinKind] && len(l.problems) == 0 {
		return nil, fmt.Errorf("cannot read %s: it holds no %s of %s", name, joinKind, APIVersion)
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	return j, nil
}

func (j *Join) warn(format string, args ...any) { warnOnce(&j.Warnings, format, args...) }
