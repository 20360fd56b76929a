package phases

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// RollbackName is the command, and what its runs are called in the journals.
const RollbackName = "rollback"

// Rollback is the list of `kubewright rollback`. Where the run that is taken back has started the kubelet, its pods go, too, and what
// they have left, as by reset; else what it has changed is put back alone.
func Rollback(startedKubelet bool) Command {
	if startedKubelet {
		return Command{Name: RollbackName, Phases: Reset().Phases}
	}
	return Command{Name: RollbackName, Phases: []Phase{
		restoreFiles(),
		restoreUnits(),
		waitRestored(),
		restoreObjects(),
	}}
}

// restoreFiles brings back the files of before, and removes those that were not there: what static pods read before their manifests, at
// whose change the kubelet restarts them, and directories last.
func restoreFiles() Phase {
	return Phase{
		Name: "files", About: "Put the files back",
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			steps := slices.Clone(f.Reversal.Files)
			rank := func(s plan.Step) int {
				switch file := s.(plan.File); {
				case file.Dir:
					return 2
				case filepath.Dir(file.Path) == config.ManifestsDir:
					return 1
				}
				return 0
			}
			slices.SortStableFunc(steps, func(a, b plan.Step) int { return cmp.Compare(rank(a), rank(b)) })
			return steps, nil
		},
	}
}

// restoreUnits brings units into the state of before. They are restarted where they read what was put back.
func restoreUnits() Phase {
	return Phase{
		Name: "units", About: "Bring units back into their state",
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			var steps []plan.Step
			for _, u := range f.Reversal.Units {
				for _, path := range f.Reversal.Paths {
					switch {
					case below(path, systemdDir):
						u.Forgotten = append(u.Forgotten, path)
					case !below(path, config.ManifestsDir):
						u.RestartOn = append(u.RestartOn, path)
					}
				}
				steps = append(steps, u)
			}
			return steps, nil
		},
	}
}

// waitRestored waits for the components whose manifests were put back: what comes after it asks the API server.
func waitRestored() Phase {
	return Phase{
		Name: "wait-control-plane", About: "Wait for what was put back to start",
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			var steps []plan.Step
			watch := watchPods(newLooker(f))
			for _, step := range f.Reversal.Files {
				file := step.(plan.File)
				if file.Absent || filepath.Dir(file.Path) != config.ManifestsDir {
					continue
				}
				pod := podOf(file.Data)
				if pod == nil || !slices.Contains(components, pod.Spec.Containers[0].Name) {
					continue
				}
				if wait, ok := waitStarted(f, pod, cluster.ProbeOf, watch); ok {
					steps = append(steps, wait)
				}
			}
			return steps, nil
		},
	}
}

// restoreObjects brings back what the cluster had, where nobody has changed it since.
func restoreObjects() Phase {
	return Phase{
		Name: "objects", About: "Put back what was changed in the cluster",
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) { return f.Reversal.Objects, nil },
	}
}
