package pki

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/kubewright/kubewright/config"
)

// Input is what the PKI is planned from.
type Input struct {
	Config *config.Config
	// Read returns a file of the machine; the error of one that is not there is fs.ErrNotExist. Its errors name the file.
	Read func(path string) ([]byte, error)
	// Now is the time, Rand the source of keys and serial numbers.
	Now  time.Time
	Rand io.Reader
	// KubeconfigDir is where kubeconfigs are written. Default /etc/kubernetes.
	KubeconfigDir string
	// Joining says that another control-plane node is made: it has no super-admin.conf, and where the CA's key is not here its
	// kubelet asks the cluster for its credentials.
	Joining bool
	// LikeBefore says that nobody knows which kind of keys the cluster has: a key that is renewed is of the kind of the one before.
	LikeBefore bool
}

// File is one file as it should be.
type File struct {
	Path string
	Mode fs.FileMode
	Data []byte
	// Secret says that there is a private key in it.
	Secret bool
	// Link makes it a symbolic link to this target.
	Link string
	// Why says why a file that was there is not kept.
	Why string
}

// Set is the PKI of one node: what is on the machine, and what the rows that were asked for add to it.
// It is made for one run and is not safe for concurrent use.
type Set struct {
	in       Input
	planned  map[string][]File // by row
	byPath   map[string]File
	errs     map[string]error
	warnings []string
}

// Plan prepares the set. It reads nothing yet and makes no key before one is asked for.
func Plan(in Input) *Set {
	in.KubeconfigDir = path.Clean(cmp.Or(in.KubeconfigDir, config.KubernetesDir))
	return &Set{in: in, planned: map[string][]File{}, byPath: map[string]File{}, errs: map[string]error{}}
}

// Files returns the files of a row, those that are kept included, in the order in which they are to be written: a run that
// stops in between leaves nothing that the next run would refuse. Rows that do not apply, such as those of etcd where somebody
// else runs it, have no files.
//
// The error names the file that can't be used and says what to do: one that can't be parsed, a key that does not belong
// to its certificate, a certificate of another CA, an expired CA, or files that are missing where the CA's key is not here.
func (s *Set) Files(row string) ([]File, error) {
	if files, ok := s.planned[row]; ok || s.errs[row] != nil {
		return files, s.errs[row]
	}
	files, err := s.plan(row)
	if err != nil {
		s.errs[row] = err
		return nil, err
	}
	s.planned[row] = files
	for _, f := range files {
		s.byPath[f.Path] = f
	}
	return files, nil
}

func (s *Set) plan(name string) ([]File, error) {
	for _, row := range Certificates() {
		if row.Name != name {
			continue
		}
		switch {
		case row.ownEtcd && s.in.Config.ExternalEtcd():
			return nil, nil
		case row.Name == saRow:
			return s.serviceAccount(row)
		case row.ca == "":
			return s.authority(row)
		}
		return s.leaf(row)
	}
	for _, row := range Kubeconfigs() {
		if row.Name == name {
			if row.Name == kubeletRow {
				return s.kubelet(row)
			}
			return s.kubeconfig(row)
		}
	}
	return nil, fmt.Errorf("cannot plan certificate %q: there is no such row", name)
}

// Data returns a file as it will be once the rows asked for so far are written; nil if there is none.
func (s *Set) Data(path string) []byte {
	data, err := s.find(path)
	if err != nil {
		return nil
	}
	return data
}

// find is Data with the error of a file that can't be read.
func (s *Set) find(path string) ([]byte, error) {
	f, ok := s.byPath[path]
	switch {
	case !ok:
		return s.in.Read(path)
	case f.Link != "":
		return s.byPath[f.Link].Data, nil
	}
	return f.Data, nil
}

// Paths lists the files of a row, without looking at them.
func (s *Set) Paths(name string) []string {
	dir := s.in.Config.Cluster.CertificatesDir
	for _, row := range Certificates() {
		switch {
		case row.Name != name || row.ownEtcd && s.in.Config.ExternalEtcd():
		case row.Name == saRow:
			return []string{row.keyPath(dir), row.publicPath(dir)}
		default:
			return []string{row.keyPath(dir), row.certPath(dir)}
		}
	}
	for _, row := range Kubeconfigs() {
		if row.Name == name {
			return []string{s.kubeconfigPath(row)}
		}
	}
	return nil
}

// have says that a file is there or will be, also when it can't be read.
func (s *Set) have(path string) bool {
	data, err := s.find(path)
	return data != nil || err != nil && !errors.Is(err, fs.ErrNotExist)
}

// Warnings are remarks about files that are kept although they are not what would be made.
func (s *Set) Warnings() []string { return slices.Clone(s.warnings) }

func (s *Set) warn(format string, args ...any) {
	s.warnings = append(s.warnings, fmt.Sprintf(format, args...))
}

// ExternalCA says that the cluster's CA is here without its key: somebody else signs.
func (s *Set) ExternalCA() bool { return s.external(Certificates()[0]) }

func (s *Set) external(ca Row) bool {
	dir := s.in.Config.Cluster.CertificatesDir
	return s.have(ca.certPath(dir)) && !s.have(ca.keyPath(dir))
}

// read returns a file that is or is not there. An empty file is what a crash of another tool leaves: it is refused.
func (s *Set) read(path string) ([]byte, error) {
	if f, ok := s.byPath[path]; ok && f.Link == "" {
		return f.Data, nil
	}
	data, err := s.in.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case strings.TrimSpace(string(data)) == "":
		return nil, fmt.Errorf("cannot use %s: it is empty; remove it to have it made again", path)
	}
	return data, nil
}

func unusable(path string, err error) error {
	return fmt.Errorf("cannot use %s: %w; remove it to have it made again, or put the right file there", path, err)
}
