package pki

import (
	"crypto/rand"
	"io/fs"
	"testing"
	"time"

	"github.com/kubewright/kubewright/config"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// disk is a machine's files, in memory.
type disk struct {
	files map[string][]byte
	links map[string]string
}

func newDisk() *disk { return &disk{files: map[string][]byte{}, links: map[string]string{}} }

func (d *disk) read(path string) ([]byte, error) {
	if to := d.links[path]; to != "" {
		path = to
	}
	if data, ok := d.files[path]; ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

func (d *disk) set(t *testing.T, c *config.Config, at time.Time) *Set {
	t.Helper()
	return Plan(Input{
		Config: c, Read: d.read, Now: at, Rand: rand.Reader,
	})
}

// write puts the first n files of a list on the disk.
func (d *disk) write(files []File, n int) {
	for _, f := range files[:min(n, len(files))] {
		if f.Link != "" {
			d.links[f.Path] = f.Link
			continue
		}
		d.files[f.Path] = f.Data
	}
}

func loadConfig(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.LoadInit([]byte(text), "test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDefaults(config.Dynamic{
		Hostname: "cp1", AdvertiseAddress: "10.9.0.2", CRISocket: "unix:///run/containerd/containerd.sock",
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

const plain = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\ncontrolPlaneEndpoint: cluster.example:7443\n"

const ownEtcdOff = plain + "etcd:\n  external:\n    endpoints: [\"https://10.9.0.9:2379\"]\n    caFile: /e/ca.crt\n    certFile: /e/c.crt\n    keyFile: /e/c.key\n"

func allRows() []string {
	var names []string
	for _, row := range append(Certificates(), Kubeconfigs()...) {
		names = append(names, row.Name)
	}
	return names
}

// all asks for every row.
func all(t *testing.T, s *Set) []File {
	t.Helper()
	var files []File
	for _, name := range allRows() {
		list, err := s.Files(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files = append(files, list...)
	}
	return files
}

// made is a disk with a whole PKI.
func made(t *testing.T, text string) (*disk, *config.Config) {
	t.Helper()
	d, c := newDisk(), loadConfig(t, text)
	files := all(t, d.set(t, c, now))
	d.write(files, len(files))
	return d, c
}
