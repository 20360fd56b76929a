package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// File is everything that one configuration file holds, for whichever command: what config validate judges and config migrate
// writes anew. Only what the file has documents of is there.
type File struct {
	// Init is of InitConfiguration and ClusterConfiguration, which stand for each other's defaults.
	Init    *Config
	Join    *Join
	Reset   *Reset
	Upgrade *Upgrade
	// components are the documents of component configurations, as they are written.
	components [][]byte
	warnings   []string
}

// LoadFile reads a file of any of the commands. It is as strict as LoadInit, and a document that nobody reads is an error, too.
// experimental allows the version kubeadm.k8s.io/v1.
func LoadFile(data []byte, name string, experimental bool) (*File, error) {
	l := loader{name: name, experimental: experimental, whole: true}
	c, j, r, u := New(), NewJoin(), NewReset(), NewUpgrade()
	f := &File{}
	decoders := map[string]func(document){}
	for _, of := range []map[string]func(document){c.decoders(&l), j.decoders(&l), r.decoders(&l), u.decoders(&l)} {
		for kind, decode := range of {
			decoders[kind] = decode
		}
	}
	for _, kind := range []string{kubeletKind, proxyKind} {
		into := decoders[kind]
		decoders[kind] = func(d document) {
			f.components = append(f.components, withoutMark(d.text))
			into(d)
		}
	}
	seen := l.read(data, "kubewright", decoders)
	if err := l.err(); err != nil {
		return nil, err
	}
	if len(seen) == 0 {
		return nil, fmt.Errorf("cannot read %s: it holds no document of %s", name, APIVersion)
	}
	f.warnings = l.warnings
	if seen[initKind] || seen[clusterKind] {
		f.Init = c
	}
	if seen[joinKind] {
		f.Join = j
	}
	if seen[resetKind] {
		f.Reset = r
	}
	if seen[upgradeKind] {
		f.Upgrade = u
	}
	return f, nil
}

// withoutMark is the text of a document without the line that separates it from the one before, and with an end of line.
func withoutMark(text []byte) []byte {
	if bytes.HasPrefix(text, []byte("---")) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return append(bytes.TrimRight(text, "\n"), '\n')
}

// part is one of the commands' configurations in a file.
type part struct {
	kind string
	configuration
	warnings *[]string
}

// configuration is what Config, Join, Reset and Upgrade have in common.
type configuration interface {
	SetDefaults(Dynamic) error
	Validate() error
}

func (f *File) parts() []part {
	var list []part
	if f.Init != nil {
		list = append(list, part{initKind, f.Init, &f.Init.Warnings})
	}
	if f.Join != nil {
		list = append(list, part{joinKind, f.Join, &f.Join.Warnings})
	}
	if f.Reset != nil {
		list = append(list, part{resetKind, f.Reset, &f.Reset.Warnings})
	}
	if f.Upgrade != nil {
		list = append(list, part{upgradeKind, f.Upgrade, &f.Upgrade.Warnings})
	}
	return list
}

// SetDefaults fills every field that was left out, for all commands.
func (f *File) SetDefaults(d Dynamic) error {
	for _, p := range f.parts() {
		if err := p.SetDefaults(d); err != nil {
			return err
		}
	}
	return nil
}

// Validate says everything that is wrong. Where the file is for several commands, the problems say for which. Call it after
// SetDefaults.
func (f *File) Validate() error {
	parts := f.parts()
	var errs []error
	for _, p := range parts {
		err := p.Validate()
		if err != nil && len(parts) > 1 {
			err = errors.New(p.kind + ": " + strings.ReplaceAll(err.Error(), "\n", "\n"+p.kind+": "))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Warnings are remarks about the file, to be printed once.
func (f *File) Warnings() []string {
	all := slices.Clone(f.warnings)
	for _, p := range f.parts() {
		all = append(all, *p.warnings...)
	}
	return all
}

// Nodes are the registrations of nodes in the file. A machine completes them.
func (f *File) Nodes() []*NodeRegistrationOptions {
	var list []*NodeRegistrationOptions
	if f.Init != nil {
		list = append(list, &f.Init.Init.NodeRegistration)
	}
	if f.Join != nil {
		list = append(list, &f.Join.NodeRegistration)
	}
	return list
}

// Endpoints are the endpoints of API servers that would run on the machine.
func (f *File) Endpoints() []*APIEndpoint {
	var list []*APIEndpoint
	if f.Init != nil {
		list = append(list, &f.Init.Init.LocalAPIEndpoint)
	}
	if f.Join != nil && f.Join.ControlPlane != nil {
		list = append(list, &f.Join.ControlPlane.LocalAPIEndpoint)
	}
	return list
}
