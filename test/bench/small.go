package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// Small is what needs no machine.
type Small struct {
	// Size is that of the binary in MB, and Version the times of the command version in seconds, by tool.
	Size    map[string]float64   `json:"size"`
	Version map[string][]float64 `json:"version"`
}

// versions is how often the command version is run.
const versions = 50

// MeasureSmall measures the programs on this host.
func MeasureSmall(b *bed.Builder) (Small, error) {
	s := Small{Size: map[string]float64{}, Version: map[string][]float64{}}
	p, err := build(b)
	if err != nil {
		return s, err
	}
	programs := map[string]string{Ours: p.kubewright, Theirs: filepath.Join(p.kit.Tools, "usr/bin/kubeadm")}
	for tool, path := range programs {
		info, err := os.Stat(path)
		if err != nil {
			return s, err
		}
		s.Size[tool] = float64(info.Size()) / 1e6
	}
	for range versions {
		for tool, path := range programs {
			began := time.Now()
			if err := exec.Command(path, "version").Run(); err != nil {
				return s, err
			}
			s.Version[tool] = append(s.Version[tool], time.Since(began).Seconds())
		}
	}
	return s, nil
}
