package preflight

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/kubewright/kubewright/config"
)

// askKubelet returns the version of the kubelet, empty when nobody can be asked.
func (i *initChecks) askKubelet(ctx context.Context) (string, error) {
	if i.m.KubeletVersion == nil {
		return "", nil
	}
	return i.m.KubeletVersion(ctx)
}

// kubeletSkew: the kubelet must be there, not newer than the control plane, and not much older.
func (i *initChecks) kubeletSkew(ctx context.Context) []Finding {
	controlPlane := i.c.Version()
	install := fmt.Sprintf("install the package kubelet of version %d.%d", controlPlane.Major, controlPlane.Minor)
	text, err := i.kubelet.get(ctx)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return failed("the kubelet is not installed: there is no kubelet in PATH", install)
	case errors.Is(err, context.DeadlineExceeded): // that it is slow says nothing about its version
		return warned(err.Error(), "the machine is very slow or very busy: the version of its kubelet is not known")
	case err != nil:
		return failure(err, install)
	case text == "" || controlPlane.IsZero():
		return nil
	}
	version, err := config.ParseVersion(text)
	if err != nil {
		return failure(fmt.Errorf("cannot use the kubelet: %w", err), install)
	}
	if err := config.KubeletSkew(controlPlane, version); err != nil {
		message, hint, _ := strings.Cut(err.Error(), "; ")
		return failed(message, hint)
	}
	return nil
}

// kubeletService: the unit is written, enabled and started by us, but systemd has to be there and to be willing. kubeadm
// warns about a unit that is missing or not enabled; there is no need to.
func (i *initChecks) kubeletService(ctx context.Context) []Finding {
	var found []Finding
	if i.m.Systemd == nil && i.m.NoSystemd != nil {
		found = failure(i.m.NoSystemd, "kubewright starts the kubelet as a systemd service")
	} else if i.m.Systemd == nil {
		found = failed("systemd can't be reached: the kubelet can't be started", "kubewright starts the kubelet as a systemd service")
	} else if unit, err := i.m.Systemd.Unit(ctx, config.KubeletService); err != nil {
		found = failure(err, "")
	} else if unit.LoadState == "masked" || unit.UnitFileState == "masked" {
		found = failed(config.KubeletService+" is masked: the kubelet can't be started", "run: systemctl unmask "+config.KubeletService)
	}
	if slices.ContainsFunc(i.c.Init.SkipPhases, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), "kubelet-start") }) {
		for n := range found { // somebody else starts it
			found[n].Warning = true
		}
	}
	return found
}
