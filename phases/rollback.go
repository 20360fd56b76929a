package phases

import (
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

// restoreFiles brings back the files of before, and removes those that were not there.
func restoreFiles() Phase {
	return Phase{
		Name: "files", About: "Put the files back",
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) { return f.Reversal.Files, nil },
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
				probe, ok := cluster.ProbeOf(&pod.Spec.Containers[0])
				if !ok {
					continue
				}
				probe.Client = func() (*cluster.Client, error) { return f.Client(f.AdminKubeconfig) }
				steps = append(steps, plan.Wait{
					For: probe.Name + " answers " + probe.URL,
					Probe: func(ctx context.Context, t *plan.Target) error {
						if err := probe.Check(ctx); err != nil {
							return err
						}
						return startedAfterManifest(ctx, t, probe.Name)
					},
					Watch: watch(probe.Name),
				})
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
