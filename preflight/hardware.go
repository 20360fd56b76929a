package preflight

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/kubewright/kubewright/config"
)

// What kubeadm asks of a control-plane node.
const (
	minimumCPUs   = 2
	minimumMemory = 1700 << 20 // bytes
)

func (i *initChecks) privilegedUser(context.Context) []Finding {
	if i.m.UID == 0 {
		return nil
	}
	return failed(fmt.Sprintf("this command needs root, but runs as user %d", i.m.UID), "run it with sudo")
}

func (i *initChecks) cpus(context.Context) []Finding {
	if i.m.CPUs == 0 || i.m.CPUs >= minimumCPUs {
		return nil
	}
	return failed(fmt.Sprintf("this machine has %d CPU; a control-plane node needs at least %d", i.m.CPUs, minimumCPUs), "")
}

func (i *initChecks) memory(context.Context) []Finding {
	if i.m.Memory == 0 || i.m.Memory >= minimumMemory {
		return nil
	}
	return failed(fmt.Sprintf("this machine has %d MiB of memory; a control-plane node needs at least %d MiB",
		i.m.Memory>>20, minimumMemory>>20), "")
}

const swapsFile = "/proc/swaps"

// swap is an error where the kubelet would not start, and a warning where it was told to live with swap. kubeadm only warns,
// and waits four minutes for a kubelet that ends at once.
func (i *initChecks) swap(context.Context) []Finding {
	data, err := i.m.Host.ReadFile(swapsFile)
	if errors.Is(err, fs.ErrNotExist) { // a kernel without swap
		return nil
	}
	if err != nil {
		return failure(err, "")
	}
	var areas []string
	for n, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		if fields := strings.Fields(line); n > 0 && len(fields) > 0 {
			areas = append(areas, fields[0])
		}
	}
	if len(areas) == 0 {
		return nil
	}
	on := "swap is on: " + strings.Join(areas, ", ")
	if i.kubeletRefusesSwap() {
		return failed(on+"; the kubelet does not start like that",
			"turn it off with: swapoff -a, and take it out of /etc/fstab\n"+
				"or let the kubelet start nevertheless: failSwapOn: false in the KubeletConfiguration")
	}
	return warned(on, "pods use it only as memorySwap in the KubeletConfiguration says, and only with cgroups v2")
}

// kubeletRefusesSwap follows the kubelet: its flag wins over its configuration, and the default is to refuse.
func (i *initChecks) kubeletRefusesSwap() bool {
	if text, given := config.ArgValue(i.c.Init.NodeRegistration.KubeletExtraArgs, "fail-swap-on"); given {
		refuse, err := strconv.ParseBool(text)
		return err != nil || refuse
	}
	return i.c.Kubelet == nil || i.c.Kubelet.FailSwapOn == nil || *i.c.Kubelet.FailSwapOn
}
