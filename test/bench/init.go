package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/kubewright/kubewright/test/bed"
	"github.com/kubewright/kubewright/timeline"
)

// The tools that are compared. Floor is what no tool can beat: everything is rendered beforehand, and only the kubelet is started.
// Account is kubewright that writes its own timeline, which costs something; it is not compared.
const (
	Ours    = "kubewright"
	Theirs  = "kubeadm"
	Floor   = "floor"
	Account = "account"
)

// accounts is how often kubewright gives its own account.
const accounts = 3

// Init measures init by both tools, and the floor, in turns and each on a new machine, with real components and images present.
type Init struct {
	Pairs int
	Log   io.Writer
}

// InitRun is one of them. Times are in seconds since it began.
type InitRun struct {
	Tool string `json:"tool"`
	// Returned is when the command had ended; of the floor, when the kubelet was started.
	Returned float64 `json:"returned"`
	// Healthy is when the kubelet, etcd and all components had said that they are.
	Healthy float64 `json:"healthy"`
	// Ready is when the node was Ready and CoreDNS ran, with the addons; zero of the floor, which has none.
	Ready float64 `json:"ready,omitempty"`
	// CPU is what the command has used, user and system, and RSS its peak memory in MiB.
	CPU float64 `json:"cpu,omitempty"`
	RSS float64 `json:"rssMiB,omitempty"`
	// Own is when kubewright had done all that it can before it waits for the first time; by its own account.
	Own      float64            `json:"own,omitempty"`
	Timeline *timeline.Timeline `json:"timeline"`
}

// Done is when the command had returned and everything was healthy.
func (r InitRun) Done() float64 { return max(r.Returned, r.Healthy) }

// programs are what machines are given.
type programs struct {
	kit               bed.Kit
	kubewright, watch string
}

func build(b *bed.Builder) (p programs, err error) {
	if p.kit, err = b.Build(); err != nil {
		return p, err
	}
	if p.kubewright, err = b.Kubewright(); err != nil {
		return p, err
	}
	if p.watch, err = b.Watch(); err != nil {
		return p, err
	}
	return p, bed.SweepLabs(b.Cache, false)
}

func (p programs) binaries() map[string]string {
	return map[string]string{"kubewright": p.kubewright, "bench-watch": p.watch}
}

// Run makes the runs. Who goes first changes from pair to pair.
func (i Init) Run(ctx context.Context, b *bed.Builder) ([]InitRun, error) {
	p, err := build(b)
	if err != nil {
		return nil, err
	}
	var runs []InitRun
	for n, tool := range order(i.Pairs) {
		run, err := i.one(ctx, b, p, tool, fmt.Sprintf("bench-%d-%d", os.Getpid(), n))
		if err != nil {
			return runs, fmt.Errorf("cannot measure %s: %w", tool, err)
		}
		fmt.Fprintf(i.Log, "%3d %-10s returned %5.2f s, healthy %5.2f s, ready %5.2f s, CPU %.2f s, %3.0f MiB\n",
			n+1, tool, run.Returned, run.Healthy, run.Ready, run.CPU, run.RSS)
		runs = append(runs, run)
	}
	return runs, nil
}

// order is who is measured when: each tool and the floor once in each pair.
func order(pairs int) []string {
	var list []string
	tools := []string{Ours, Theirs, Floor}
	for pair := range pairs {
		for n := range tools {
			list = append(list, tools[(n+pair)%len(tools)])
		}
	}
	for range accounts {
		list = append(list, Account)
	}
	return list
}

// one is a run on a machine of its own.
func (i Init) one(ctx context.Context, b *bed.Builder, p programs, tool, name string) (run InitRun, err error) {
	lab, err := bed.CreateLab(b.Cache, p.kit, name, bed.ThisProcess(), bed.Process{})
	if err != nil {
		return run, err
	}
	defer func() {
		if down := lab.Down(); err == nil {
			err = down
		}
	}()
	machines, err := lab.BootAll(bed.Spec{Name: "cp1", KubeletUnit: true, Binaries: p.binaries()})
	if err != nil {
		return run, err
	}
	m := machines[0]
	if err := os.WriteFile(m.Path(initFile), []byte(bed.InitConfig(m)), 0o600); err != nil {
		return run, err
	}
	if tool == Floor {
		if err := renderFloor(ctx, m); err != nil {
			return run, err
		}
	}
	return measure(ctx, m, tool)
}

const initFile = "/root/init.yaml"

// patience is how long a run is watched after its command has ended.
const patience = 3 * time.Minute

// renderFloor puts all files where they belong, and starts nothing.
func renderFloor(ctx context.Context, m *bed.Machine) error {
	const script = `set -eu
kubewright init --root /root/floor --config "$1" >/root/floor.log 2>&1 || { cat /root/floor.log >&2; exit 1; }
rm -rf /root/floor/var/lib/kubewright
cp -a /root/floor/. /
rm -rf /root/floor
systemctl daemon-reload
sync`
	_, err := output(m.CommandContext(ctx, "sh", "-c", script, "sh", initFile))
	return err
}
