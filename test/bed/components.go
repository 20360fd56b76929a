package bed

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Versions of what a machine runs. test/bed/components/go.mod decides them; image names and stamps need them too.
const (
	KubernetesVersion = "v1.37.2"
	EtcdTag           = "3.7.0-0"
	CoreDNSTag        = "v1.14.6"
	PauseTag          = "3.10.2"
)

// component is one binary that is built from the components module.
type component struct {
	name    string
	pkg     string
	minutes float64 // a cold build on two cores with modules downloaded, in this order; later ones find shared packages built
}

var components = []component{
	{"pause", "./pause", 0.05},
	{"images", "./images", 0.1},
	{"tool", "./tool", 0.05},
	{"etcd", "./etcd", 1},
	{"k8s", "./k8s", 11},
	{"shim", "./shim", 0.3},
	{"containerd", "./containerd", 1},
	{"kubeadm", "k8s.io/kubernetes/cmd/kubeadm", 0.5},
	{"coredns", "./coredns", 0.3},
}

const buildTags = "no_btrfs no_devmapper no_zfs"

// ldflags stamp the version: without it every version check of Kubernetes fails.
func ldflags() string {
	v := strings.SplitN(strings.TrimPrefix(KubernetesVersion, "v"), ".", 3)
	stamps := [][2]string{
		{"gitVersion", KubernetesVersion}, {"gitMajor", v[0]}, {"gitMinor", v[1]}, {"gitTreeState", "clean"},
		{"gitCommit", strings.Repeat("0", 40)}, {"buildDate", "2026-09-01T00:00:00Z"},
	}
	flags := "-s -w"
	for _, s := range stamps {
		flags += fmt.Sprintf(" -X k8s.io/component-base/version.%s=%s", s[0], s[1])
	}
	return flags
}

// key changes with everything that the binary is made from: module versions, its own main package, flags, compiler.
func (c component) key(src string) (string, error) {
	names := []string{"go.mod", "go.sum"}
	if strings.HasPrefix(c.pkg, "./") {
		names = append(names, c.pkg)
	}
	tree, err := hashTree(src, names...)
	return hashOf(c.name, c.pkg, tree, buildTags, ldflags(), runtime.Version()), err
}

func (c component) build(src, out string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-tags", buildTags, "-ldflags", ldflags(), "-o", out, c.pkg)
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod -buildvcs=false")
	return runQuiet(cmd)
}

// binaries maps each component's name to its file in the cache and builds what is missing, one after the other: the
// compiler uses all cores by itself, and two links at once need much memory.
func (b *Builder) binaries() (map[string]string, error) {
	src := b.components()
	paths := map[string]string{}
	for _, c := range components {
		key, err := c.key(src)
		if err != nil {
			return nil, err
		}
		step := b.todo("component "+c.name, c.minutes)
		paths[c.name], err = b.Cache.Get(c.name, key, func(tmp string) error {
			step.begin()
			return c.build(src, tmp)
		})
		if err != nil {
			return nil, err
		}
		step.end()
	}
	return paths, nil
}

// runQuiet runs a command and keeps its output for the error.
func runQuiet(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	text := strings.TrimSpace(string(out))
	if len(text) > 4000 {
		text = "..." + text[len(text)-4000:]
	}
	return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, text)
}

// Keys prints where the cache keeps each component.
func (b *Builder) Keys(w io.Writer) error {
	src := b.components()
	for _, c := range components {
		key, err := c.key(src)
		if err != nil {
			return err
		}
		fmt.Fprintln(w, c.name, b.Cache.Path(c.name, key))
	}
	fmt.Fprintln(w, "rootfs", b.Cache.Path("rootfs", rootfsKey()))
	return nil
}
