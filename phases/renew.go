package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/pki"
	"github.com/kubewright/kubewright/plan"
)

// Renewing is what is to be renewed on this machine.
type Renewing struct {
	// Rows are the certificates.
	Rows []pki.Row
	// NoRestart leaves the components alone that read them.
	NoRestart bool
	// Offline says that only files are written, of a machine that does not run.
	Offline bool

	// Renewals is what becomes of each, once the phase has been asked.
	Renewals []pki.Renewal
	// Readers are the components that read what is renewed, once their phases have been asked.
	Readers []string

	pods []*corev1.Pod // of the readers
	// together says that no API server answers which the kubelet would believe; see stalePods.
	together bool
}

// RenewName is what runs of `certs renew` are called in the journals.
const RenewName = "certs-renew"

// Renew is the list of `kubewright certs renew`. The components come one after the other, as they need each other, so that each is
// well before the next one is restarted.
func Renew() Command {
	c := Command{Name: RenewName, Phases: []Phase{{
		Name: "certs", About: "Renew the certificates",
		Steps: func(ctx context.Context, f *Facts) ([]plan.Step, error) { return renewCertificates(ctx, f) },
	}}}
	for _, component := range components {
		c.Phases = append(c.Phases, Phase{
			Name: strings.TrimPrefix(component, "kube-"), About: "Restart " + component,
			Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) { return restartReader(f, component) },
		})
	}
	c.Phases = append(c.Phases, Phase{
		Name: "wait-control-plane", About: "Wait for what was restarted",
		Steps: func(ctx context.Context, f *Facts) ([]plan.Step, error) { return waitReaders(ctx, f), nil },
	})
	return c
}

func renewCertificates(ctx context.Context, f *Facts) ([]plan.Step, error) {
	var steps []plan.Step
	for _, row := range f.Renewing.Rows {
		r, err := f.PKI.Renew(row)
		if f.tolerates(err) {
			steps = append(steps, unreadable(err, f.PKI.Paths(row.Name)...)...)
			continue
		}
		if err != nil {
			return nil, err
		}
		f.Renewing.Renewals = append(f.Renewing.Renewals, r)
		for _, file := range r.Files {
			step := fileStep(file)
			step.Secret = true // the text of a certificate that is made anew by the next run tells nobody anything
			if step, err = inPlace(f, step); err != nil {
				return nil, err
			}
			steps = append(steps, step)
		}
	}
	if probe, there := apiServerProbe(f); there && !f.Renewing.Offline && !f.Renewing.NoRestart {
		f.Renewing.together = probe.Check(ctx) != nil
	}
	return steps, nil
}

// inPlace is a file that keeps the mode and the owner of the one that is there, as components that do not run as root need it, and that
// is written where a symbolic link leads.
func inPlace(f *Facts, file plan.File) (plan.File, error) {
	for followed := range maxLinks {
		info, err := f.Host.Stat(file.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && followed == 0:
			return file, nil
		case err != nil:
			return file, err
		case info.Link == "":
			file.Mode, file.UID, file.GID = info.Mode.Perm(), info.UID, info.GID
			return file, nil
		case filepath.IsAbs(info.Link):
			file.Path = info.Link
		default:
			file.Path = filepath.Join(filepath.Dir(file.Path), info.Link)
		}
	}
	return file, fmt.Errorf("cannot write %s: its symbolic links lead nowhere", file.Path)
}

// maxLinks is how many symbolic links are followed one after the other.
const maxLinks = 8
