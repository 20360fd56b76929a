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

	// Only counts what is missing instead of building it.
	missing int
	minutes float64
	doneNow int
}

// Kit is what a machine is made from: paths in the cache.
type Kit struct {
	Rootfs   string // Debian root, read-only lower layer
	Tools    string // binaries and units laid over it, read-only too
	Template string // containerd's folder with all images imported
	Kubectl  string // kubectl for the host
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
	kit.Template, err = b.template(kit, bins)
	return kit, err
}

// announce counts what is missing and says how long it will take before the first long wait.
func (b *Builder) announce() error {
	src := filepath.Join(b.Repo, "test/bed/components")
	if !b.Cache.Has("rootfs", rootfsKey()) {
		b.missing, b.minutes = b.missing+1, b.minutes+1
	}
	for _, c := range components {
		key, err := c.key(src)
		if err != nil {
			return err
		}
		if !b.Cache.Has(c.name, key) {
			b.missing, b.minutes = b.missing+1, b.minutes+c.minutes
		}
	}
	if b.missing > 0 {
		fmt.Fprintf(b.Log, "bed: %d parts are not in %s yet; making them takes about %.0f minutes on two cores, once\n",
			b.missing, b.Cache.Dir, b.minutes+1)
	}
	return nil
}

// step is one part to make, for progress. A part that is there already says nothing.
type step struct {
	b       *Builder
	name    string
	minutes float64
	started time.Time
}

func (b *Builder) todo(name string, minutes float64, have bool) *step {
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
	out := filepath.Join(b.Cache.Dir, "bin", "kubewright")
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(filepath.Join(b.Cache.Dir, ".kubewright.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "./cmd/kubewright")
	cmd.Dir = b.Repo
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return out, runQuiet(cmd)
}
