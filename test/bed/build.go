package bed

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Builder makes everything that machines need and that does not change between them.
type Builder struct {
	Cache Cache
	Repo  string    // root of the checkout
	Log   io.Writer // progress for people
	Self  string    // the program of command bed; empty if it has to be built, as in a test

	// Parts that were missing at first, and those that are being made or made since, for progress.
	missing int
	doneNow int
}

// Kit is what a machine is made from: paths in the cache.
type Kit struct {
	Rootfs   string // Debian root, read-only lower layer
	Tools    string // binaries and units laid over it, read-only too
	Template string // containerd's folder with all images imported
	Kubectl  string // kubectl for the host
	Bed      string // the program of command bed, which is a lab's load balancer
}

// RepoRoot finds the checkout that the working directory belongs to.
func RepoRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil || len(out) < 3 {
		return "", fmt.Errorf("cannot find go.mod above the working directory: %w", err)
	}
	return filepath.Dir(string(out[:len(out)-1])), nil
}

// Build returns the kit, building what the cache does not have.
func (b *Builder) Build() (Kit, error) {
	if err := b.announce(); err != nil {
		return Kit{}, err
	}
	if err := b.hostPackages(); err != nil {
		return Kit{}, err
	}
	return b.kit()
}

// kit makes what is missing.
func (b *Builder) kit() (Kit, error) {
	rootfs, err := b.rootfs()
	if err != nil {
		return Kit{}, err
	}
	bins, err := b.binaries()
	if err != nil {
		return Kit{}, err
	}
	tools, err := b.tools(bins)
	if err != nil {
		return Kit{}, err
	}
	kit := Kit{Rootfs: rootfs, Tools: tools, Kubectl: filepath.Join(tools, "usr/bin/kubectl")}
	if kit.Template, err = b.template(kit, bins); err != nil {
		return Kit{}, err
	}
	kit.Bed, err = b.bed()
	return kit, err
}

// announce counts what is missing and says how long it will take before the first long wait.
func (b *Builder) announce() error {
	parts, err := b.parts()
	if err != nil {
		return err
	}
	var minutes float64
	for _, p := range parts {
		if _, err := os.Lstat(p.path); err != nil {
			b.missing, minutes = b.missing+1, minutes+p.minutes
		}
	}
	if b.missing > 0 {
		fmt.Fprintf(b.Log, "bed: %d of %d parts are not in %s yet; making them takes about %s on two cores, once\n",
			b.missing, len(parts), b.Cache.Dir, duration(minutes))
	}
	return nil
}

// part is something that Build makes and that takes a while.
type part struct {
	path    string  // where the cache has it, or will
	minutes float64 // to make it when nothing of it is there, on two cores
}

// parts lists what Build needs. Nothing of it has to be there.
func (b *Builder) parts() ([]part, error) {
	rootfs := b.Cache.Path("rootfs", rootfsKey())
	parts, bins := []part{{rootfs, rootfsMinutes}}, map[string]string{}
	for _, c := range components {
		key, err := c.key(b.components())
		if err != nil {
			return nil, err
		}
		bins[c.name] = b.Cache.Path(c.name, key)
		parts = append(parts, part{bins[c.name], c.minutes})
	}
	tools := b.Cache.Path("tools", toolsKey(bins)) // copied in a second
	return append(parts, part{b.Cache.Path("template", templateKey(rootfs, tools, bins)), templateMinutes}), nil
}

// components is the folder of the components module.
func (b *Builder) components() string { return filepath.Join(b.Repo, "test/bed/components") }

// step is one part to make, for progress. A part that is there already says nothing.
type step struct {
	b       *Builder
	name    string
	minutes float64
	started time.Time
}

func (b *Builder) todo(name string, minutes float64) *step {
	return &step{b: b, name: name, minutes: minutes}
}

func (s *step) begin() {
	s.started = time.Now()
	s.b.doneNow++
	left := s.b.missing - s.b.doneNow
	fmt.Fprintf(s.b.Log, "bed: making %s (cold about %s), %d more after it\n", s.name, duration(s.minutes), max(left, 0))
}

func (s *step) end() {
	if !s.started.IsZero() {
		fmt.Fprintf(s.b.Log, "bed: made %s in %s\n", s.name, time.Since(s.started).Round(100*time.Millisecond))
	}
}

func duration(minutes float64) string {
	if minutes < 1 {
		return fmt.Sprintf("%.0f s", minutes*60)
	}
	return fmt.Sprintf("%.0f min", minutes)
}

// Kubewright builds the product of the checkout. Go's own build cache makes an unchanged one take a second.
func (b *Builder) Kubewright() (string, error) {
	return b.program("kubewright", "-trimpath", "-ldflags", "-s -w", "./cmd/kubewright")
}

// Faulty is kubewright as tests use it that end it at an exact point: see package host/faults.
func (b *Builder) Faulty() (string, error) {
	return b.program("kubewright-faults", "-tags", "faults", "-trimpath", "-ldflags", "-s -w", "./cmd/kubewright")
}

// Watch is the program of test/bench that tells, in a machine, when each part of its control plane is there.
func (b *Builder) Watch() (string, error) {
	return b.program("bench-watch", "-trimpath", "./test/bench/cmd/watch")
}

// bed is the program of command bed, built as the Makefile does it.
func (b *Builder) bed() (string, error) {
	if b.Self != "" {
		return b.Self, nil
	}
	return b.program("bed", "./test/bed/cmd/bed")
}

// program builds a command of the checkout into the cache.
func (b *Builder) program(name string, args ...string) (string, error) {
	out := filepath.Join(b.Cache.Dir, "bin", name)
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(filepath.Join(b.Cache.Dir, "."+name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	cmd := exec.Command("go", append([]string{"build", "-o", out}, args...)...)
	cmd.Dir = b.Repo
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return out, runQuiet(cmd)
}
