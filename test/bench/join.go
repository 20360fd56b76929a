package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// Join measures joins to a cluster of one control plane that kubewright made: a worker by each tool on real machines, and then
// rounds of many nodes at the same moment by kubewright's own code, with stand-ins for their kubelets.
type Join struct {
	// Rounds are the numbers of nodes that join at once.
	Rounds []int
	Log    io.Writer
}

// JoinReport is what came out.
type JoinReport struct {
	Workers []Worker
	Rounds  []Round
}

// Worker is the join of one real machine.
type Worker struct {
	Tool     string
	Seconds  float64
	Requests []Request
}

// Problems says what must not be: joins that failed, and kubewright making no fewer requests than kubeadm.
func (r *JoinReport) Problems() []string {
	var list []string
	counts := map[string]int{}
	for _, w := range r.Workers {
		counts[w.Tool] = len(w.Requests)
	}
	if ours, theirs := counts["kubewright"], counts["kubeadm"]; ours == 0 || ours >= theirs {
		list = append(list, fmt.Sprintf("kubewright made %d requests for a worker, kubeadm %d", ours, theirs))
	}
	for _, round := range r.Rounds {
		if n := len(round.Failures); n > 0 {
			list = append(list, fmt.Sprintf("%d of %d joins at once failed", n, round.Nodes))
		}
	}
	return list
}

// Run makes the cluster, measures, and takes it down.
func (j Join) Run(ctx context.Context, b *bed.Builder) (report *JoinReport, err error) {
	kit, err := b.Build()
	if err != nil {
		return nil, err
	}
	program, err := b.Kubewright()
	if err != nil {
		return nil, err
	}
	if err := bed.SweepLabs(b.Cache, false); err != nil {
		return nil, err
	}
	lab, err := bed.CreateLab(b.Cache, kit, fmt.Sprintf("bench-%d", os.Getpid()), bed.ThisProcess(), bed.Process{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lab.Down()) }()
	binaries := map[string]string{"kubewright": program}
	machines, err := lab.BootAll(bed.Spec{Name: "cp1", Audit: true, Binaries: binaries}, bed.Spec{Name: "w1", Binaries: binaries},
		bed.Spec{Name: "w2", KubeletUnit: true})
	if err != nil {
		return nil, err
	}
	cp := machines[0]
	const initFile = "/root/init.yaml"
	if err := os.WriteFile(cp.Path(initFile), []byte(bed.InitConfig(cp, bed.WithAudit())), 0o600); err != nil {
		return nil, err
	}
	said, err := output(cp.CommandContext(ctx, "kubewright", "init", "--config", initFile))
	if err != nil {
		return nil, err
	}
	args, _ := bed.ReadJoin(said)
	if args == nil {
		return nil, errors.New("init printed no join command")
	}
	if err := lab.WaitReady(ctx, j.Log, cp.Name); err != nil {
		return nil, err
	}
	report = &JoinReport{}
	for i, tool := range []string{"kubewright", "kubeadm"} {
		w, err := j.worker(ctx, lab, machines[i+1], tool, args)
		if err != nil {
			return report, err
		}
		report.Workers = append(report.Workers, w)
	}
	for _, n := range j.Rounds {
		round, err := j.round(ctx, cp, args, n)
		if err != nil {
			return report, err
		}
		report.Rounds = append(report.Rounds, round)
	}
	return report, nil
}

// worker joins a real machine, and counts when it is ready: by then all requests of the tool are written down.
func (j Join) worker(ctx context.Context, lab *bed.Lab, m *bed.Machine, tool string, args []string) (Worker, error) {
	cp, err := lab.Get("cp1")
	if err != nil {
		return Worker{}, err
	}
	before, err := cp.Audit()
	if err != nil {
		return Worker{}, err
	}
	command := slices.Concat([]string{tool, "join"}, args)
	if tool == "kubeadm" { // it does not take our cgroups for fit
		command = append(command, "--ignore-preflight-errors=SystemVerification")
	}
	began := time.Now()
	if _, err := output(m.CommandContext(ctx, command...)); err != nil {
		return Worker{}, err
	}
	took := time.Since(began)
	if err := lab.WaitReady(ctx, j.Log, m.Name); err != nil {
		return Worker{}, err
	}
	after, err := cp.Audit()
	if err != nil {
		return Worker{}, err
	}
	return Worker{Tool: tool, Seconds: took.Seconds(), Requests: RequestsOf(tool, after[len(before):])}, nil
}

// output runs a command and returns what it wrote to stdout.
func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	return string(out), err
}
