package bed

import (
	"archive/tar"
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// stateFiles are what kubewright keeps on a machine, below its root. Those of the kubelet's credentials that the kubelet makes itself
// are there, too.
const stateFiles = "etc/kubernetes var/lib/kubewright var/lib/kubelet/config.yaml var/lib/kubelet/instance-config.yaml " +
	"var/lib/kubelet/kubeadm-flags.env var/lib/kubelet/pki etc/systemd/system/kubelet.service etc/systemd/system/kubelet.service.d " +
	"etc/systemd/system/multi-user.target.wants/kubelet.service"

// packState writes those that are there as a tar archive, in the VM.
const packState = `cd / && set -- && for f in ` + stateFiles + `; do if [ -e "$f" ] || [ -L "$f" ]; then set -- "$@" "$f"; fi; done
[ $# = 0 ] || tar -cf - "$@"`

// stateFile is one of them. Link is where a link leads.
type stateFile struct {
	mode fs.FileMode
	data []byte
	link string
}

func (f stateFile) text() string { return f.mode.String() + f.link + string(f.data) }

// stateTree are the files, links and directories, by path.
type stateTree map[string]stateFile

// readState reads the archive. Nothing at all is an empty tree.
func readState(archive io.Reader) (stateTree, error) {
	t := stateTree{}
	r := tar.NewReader(archive)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the state of the machine: %w", err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("cannot read the state of the machine: %w", err)
		}
		t["/"+strings.TrimSuffix(h.Name, "/")] = stateFile{h.FileInfo().Mode(), data, h.Linkname}
	}
}

func (t stateTree) paths() []string { return slices.Sorted(maps.Keys(t)) }

// leftover is the name of a file that was being written.
var leftover = regexp.MustCompile(`^\..+\.[0-9a-f]{16}\.tmp$`)

// leftovers are files that were being written. They harm nobody, and are gone after the next run.
func (t stateTree) leftovers() []string {
	var list []string
	for _, p := range t.paths() {
		if leftover.MatchString(path.Base(p)) {
			list = append(list, p)
		}
	}
	return list
}

// damage lists files that are empty, torn or open to those who may not read them.
func (t stateTree) damage() []string {
	var list []string
	say := func(p, format string, args ...any) { list = append(list, p+": "+fmt.Sprintf(format, args...)) }
	for _, p := range t.paths() {
		f := t[p]
		if secret(p, f.data) && f.mode.IsRegular() && f.mode.Perm() != 0o600 {
			say(p, "its mode is %04o", f.mode.Perm())
		}
		if !f.mode.IsRegular() || leftover.MatchString(path.Base(p)) {
			continue
		}
		if err := whole(p, f.data); err != nil {
			say(p, "%v", err)
		}
		if base, ok := strings.CutSuffix(p, ".key"); ok && t[base+".crt"].data != nil {
			if err := match(t[base+".crt"].data, f.data); err != nil {
				say(p, "%v", err)
			}
		}
	}
	return list
}

// secret says that only root may read it. Of a file that is being written, the name may say nothing.
func secret(p string, data []byte) bool {
	return bytes.Contains(data, []byte("PRIVATE KEY")) || bytes.Contains(data, []byte("client-key-data")) ||
		strings.HasPrefix(p, "/var/lib/kubewright/") || strings.HasSuffix(p, ".key") || path.Dir(p) == "/etc/kubernetes/manifests"
}

// whole returns an error for what is empty or not all there.
func whole(p string, data []byte) error {
	if len(bytes.Trim(data, "\x00 \n")) == 0 {
		return fmt.Errorf("it is empty: %d bytes", len(data))
	}
	switch ext := path.Ext(p); {
	case slices.Contains([]string{".crt", ".key", ".pub", ".pem"}, ext):
		return wholePEM(data)
	case ext == ".jsonl":
		return wholeJournal(data)
	case ext == ".env":
		if !bytes.HasPrefix(data, []byte("KUBELET_")) || !bytes.HasSuffix(data, []byte("\"\n")) {
			return errors.New("it is torn")
		}
	case ext == ".yaml" || path.Dir(p) == "/etc/kubernetes" && ext == ".conf":
		return wholeYAML(data)
	case strings.HasPrefix(p, "/etc/systemd/"):
		if !bytes.Contains(data, []byte("[Service]")) || !bytes.HasSuffix(data, []byte("\n")) {
			return errors.New("it is torn")
		}
	}
	return nil
}

func wholePEM(data []byte) error {
	n := 0
	for rest := data; len(bytes.TrimSpace(rest)) > 0; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return errors.New("it is torn: not all of it is PEM")
		}
		var err error
		switch block.Type {
		case "CERTIFICATE":
			_, err = x509.ParseCertificate(block.Bytes)
		case "PUBLIC KEY":
			_, err = x509.ParsePKIXPublicKey(block.Bytes)
		default:
			_, err = privateKey(block)
		}
		if err != nil {
			return fmt.Errorf("it is torn: %w", err)
		}
	}
	return nil
}

func privateKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T", key)
	}
	return signer, nil
}

// match returns an error if the certificate is not of the key. Damaged ones are told elsewhere.
func match(certPEM, keyPEM []byte) error {
	c, _ := pem.Decode(certPEM)
	k, _ := pem.Decode(keyPEM)
	if c == nil || k == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(c.Bytes)
	if err != nil {
		return nil
	}
	key, err := privateKey(k)
	if err != nil {
		return nil
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && !public.Equal(cert.PublicKey) {
		return errors.New("the certificate beside it has another key")
	}
	return nil
}

func wholeYAML(data []byte) error {
	var o struct{ Kind, APIVersion, ContainerRuntimeEndpoint string }
	if err := yaml.Unmarshal(data, &o); err != nil {
		return fmt.Errorf("it is torn: %w", err)
	}
	named := o.Kind != "" && o.APIVersion != "" || o.ContainerRuntimeEndpoint != "" // the latter in instance-config.yaml
	if !named || !bytes.HasSuffix(data, []byte("\n")) {
		return errors.New("it is torn")
	}
	return nil
}

// wholeJournal takes a last line that was cut off: its change was not made.
func wholeJournal(data []byte) error {
	lines := bytes.SplitAfter(data, []byte("\n"))
	for n, line := range lines[:len(lines)-1] {
		if !json.Valid(line) {
			return fmt.Errorf("line %d is torn", n+1)
		}
	}
	return nil
}

// changedSince lists what was there before and is not there any more as it was. All that init writes with one configuration it
// writes once, keys above all; what the kubelet makes itself does not count.
func (t stateTree) changedSince(before stateTree) []string {
	var list []string
	for _, p := range before.paths() {
		now, there := t[p]
		switch {
		case leftover.MatchString(path.Base(p)) || p == "/var/lib/kubelet/pki" || path.Base(p) == "kubelet.key" || path.Base(p) == "kubelet.crt":
		case !there:
			list = append(list, p+": it was there, and is gone")
		case now.text() != before[p].text():
			list = append(list, p+": it is another one now")
		}
	}
	return list
}

// summary counts what is there, for people.
func (t stateTree) summary() string {
	count := map[string]int{}
	for p, f := range t {
		ext := path.Ext(p)
		switch {
		case leftover.MatchString(path.Base(p)):
			count["half written"]++
		case !f.mode.IsRegular():
		case path.Dir(p) == "/etc/kubernetes/manifests":
			count["manifests"]++
		case ext == ".key" || ext == ".crt" || ext == ".conf" && path.Dir(p) == "/etc/kubernetes":
			count[ext[1:]]++
		case ext == ".jsonl":
			count["journals"]++
		case strings.HasPrefix(p, "/var/lib/kubelet/") || strings.HasPrefix(p, "/etc/systemd/"):
			count["kubelet"]++
		}
	}
	if _, enabled := t["/etc/systemd/system/multi-user.target.wants/kubelet.service"]; enabled {
		count["enabled"]++
	}
	var words []string
	for _, name := range []string{"key", "crt", "conf", "manifests", "kubelet", "enabled", "journals", "half written"} {
		if count[name] > 0 {
			words = append(words, fmt.Sprintf("%d %s", count[name], name))
		}
	}
	if words == nil {
		return "nothing"
	}
	return strings.Join(words, ", ")
}
