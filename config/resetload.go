package config

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reset is the whole input of one run of reset: what the user said, before the machine and the cluster were looked at.
type Reset struct {
	ResetConfiguration
	// Warnings are remarks about the input, to be printed once.
	Warnings []string
}

// NewReset is the empty input: nothing given, nothing defaulted.
func NewReset() *Reset { return &Reset{} }

func (r *Reset) decoders(l *loader) map[string]func(document) {
	return map[string]func(document){resetKind: func(d document) { decode(l, d, &r.ResetConfiguration) }}
}

// LoadReset reads the file of --config for reset: YAML or JSON with one ResetConfiguration. It is as strict as LoadInit, but takes
// the experimental version, too, as kubeadm does. Documents of other commands, and component configurations, are left out with a
// warning.
func LoadReset(data []byte, name string) (*Reset, error) {
	r := NewReset()
	l := loader{name: name, experimental: true}
	seen := l.read(data, "reset", r.decoders(&l))
	r.Warnings = l.warnings
	if !seen[resetKind] && len(l.problems) == 0 {
		return nil, fmt.Errorf("cannot read %s: it holds no %s of %s", name, resetKind, APIVersion)
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	return r, nil
}

// SetDefaults fills the fields that were left out, but for certificatesDir, whose default is the cluster's own (see there).
// Doing it twice is the same as doing it once. Wrong values are left alone for Validate. It uses the runtime's socket of d. The
// error is always nil, for the sake of one signature with Config.
func (r *Reset) SetDefaults(d Dynamic) error {
	r.TypeMeta = metav1.TypeMeta{APIVersion: APIVersion, Kind: resetKind}
	defaultSocket(&r.CRISocket, d.CRISocket, "criSocket", r.warn)
	if r.Timeouts == nil {
		r.Timeouts = &Timeouts{}
	}
	r.Timeouts.setDefaults()
	return nil
}

func (r *Reset) warn(format string, args ...any) { warnOnce(&r.Warnings, format, args...) }
