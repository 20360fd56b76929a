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

// Join measures joins to a cluster of one control plane that kubewright made: a worker by each tool on real machines, then rounds
// of many nodes at the same moment by kubewright's own code, with stand-ins for their kubelets, and at last a control plane by each
// tool.
type Join struct {
	// Rounds are the numbers of nodes that join at once.
	Rounds []int
	Log    io.Writer
}

// JoinReport is what came out.
type JoinReport struct {
	Machines []Machine
	Rounds   []Round
}

// Machine is the join of one real machine.
type Machine struct {
	Tool, Role string
	Seconds    float64
	Requests   []Request
}

// The roles of nodes.
const (
	Worker       = "worker"
	ControlPlane = "control plane"
)

// Problems says what must not be: joins that failed, and kubewright making no fewer requests for a worker than kubeadm. Those for a
// control plane are only shown: kubewright takes a lock, too.
func (r *JoinReport) Problems() []string {
	var list []string
	counts := map[string]int{}
	for _, m := range r.Machines {
		counts[m.Tool+m.Role] = len(m.Requests)
	}
	if ours, theirs := counts["kubewright"+Worker], counts["kubeadm"+Worker]; ours == 0 || ours >= theirs {
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
	p, err := build(b)
	if err != nil {
		return nil, err
	}
	lab, err := bed.CreateLab(b.Cache, p.kit, fmt.Sprintf("bench-%d", os.Getpid()), bed.ThisProcess(), bed.Process{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lab.Down()) }()
	binaries := p.binaries()
	machines, err := lab.BootAll(bed.Spec{Name: "cp1", Audit: true, Binaries: binaries}, bed.Spec{Name: "w1", Binaries: binaries},
		bed.Spec{Name: "w2", KubeletUnit: true})
	if err != nil {
		return nil, err
	}
	cp := machines[0]
	if err := os.WriteFile(cp.Path(initFile), []byte(bed.InitConfig(cp, bed.WithAudit(), bed.WithEndpoint(cp.IP()+":6443"))), 0o600); err != nil {
		return nil, err
	}
	said, err := output(cp.CommandContext(ctx, "kubewright", "init", "--config", initFile, "--upload-certs"))
	if err != nil {
		return nil, err
	}
	args, more := bed.ReadJoin(said)
	if args == nil || more == nil {
		return nil, errors.New("init printed no join commands")
	}
	if err := lab.WaitReady(ctx, j.Log, cp.Name); err != nil {
		return nil, err
	}
	report = &JoinReport{}
	if err := report.Pair(ctx, lab, j.Log, Worker, args, machines[1:]...); err != nil {
		return report, err
	}
	for _, n := range j.Rounds {
		round, err := j.round(ctx, cp, args, n)
		if err != nil {
			return report, err
		}
		report.Rounds = append(report.Rounds, round)
	}
	if machines, err = lab.BootAll(bed.Spec{Name: "cp2", Audit: true, Binaries: binaries},
		bed.Spec{Name: "cp3", Audit: true, KubeletUnit: true}); err != nil {
		return report, err
	}
	return report, report.Pair(ctx, lab, j.Log, ControlPlane, more, machines...)
}

// Pair joins two real machines, the first by kubewright and the second by kubeadm, and adds to the report what each asked.
func (r *JoinReport) Pair(ctx context.Context, lab *bed.Lab, log io.Writer, role string, args []string, machines ...*bed.Machine) error {
	for i, tool := range []string{"kubewright", "kubeadm"} {
		m := Machine{Tool: tool, Role: role}
		before, err := audits(lab)
		if err != nil {
			return err
		}
		command := slices.Concat([]string{tool, "join"}, args)
		if tool == "kubeadm" { // it does not take our cgroups for fit
			command = append(command, "--ignore-preflight-errors=SystemVerification")
		}
		began := time.Now()
		if _, err := output(machines[i].CommandContext(ctx, command...)); err != nil {
			return err
		}
		m.Seconds = time.Since(began).Seconds()
		// When the node is ready, all requests of the tool are written down.
		if err := lab.WaitReady(ctx, log, machines[i].Name); err != nil {
			return err
		}
		after, err := audits(lab)
		if err != nil {
			return err
		}
		for name, events := range after {
			m.Requests = append(m.Requests, RequestsOf(tool, events[len(before[name]):])...)
		}
		r.Machines = append(r.Machines, m)
	}
	return nil
}

// audits are the audit logs of all machines that have one, by name.
func audits(lab *bed.Lab) (map[string][]bed.AuditEvent, error) {
	all := map[string][]bed.AuditEvent{}
	for _, m := range lab.Machines() {
		events, err := m.Audit()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		all[m.Name] = events
	}
	return all, nil
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
