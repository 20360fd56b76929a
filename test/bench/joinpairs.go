package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/test/bed"
)

// Joins measures joins by both tools, in turns and each of a new machine, to a cluster that kubewright made. Each machine leaves
// before the next comes.
type Joins struct {
	Workers, ControlPlanes int // pairs
	Log                    io.Writer
}

// JoinRun is one of them. Times are in seconds since it began.
type JoinRun struct {
	Tool string `json:"tool"`
	Role string `json:"role"`
	// Returned is when the command had ended, and Registered when the cluster had the Node.
	Returned   float64 `json:"returned"`
	Registered float64 `json:"registered"`
}

// Done is when the command had returned and the Node was there.
func (j JoinRun) Done() float64 { return max(j.Returned, j.Registered) }

// joins is a cluster that machines join.
type joins struct {
	lab      *bed.Lab
	first    *bed.Machine
	api      *cluster.Client
	commands map[string][]string // arguments of join, by role
	binaries map[string]string
	log      io.Writer
	n        int
}

// Run makes the cluster, measures, and takes it down.
func (j Joins) Run(ctx context.Context, b *bed.Builder) (runs []JoinRun, err error) {
	p, err := build(b)
	if err != nil {
		return nil, err
	}
	lab, err := bed.CreateLab(b.Cache, p.kit, fmt.Sprintf("bench-%d-join", os.Getpid()), bed.ThisProcess(), bed.Process{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lab.Down()) }()
	c := &joins{lab: lab, binaries: p.binaries(), log: j.Log}
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	for _, kind := range []struct {
		role  string
		pairs int
	}{{Worker, j.Workers}, {ControlPlane, j.ControlPlanes}} {
		for pair := range kind.pairs {
			tools := []string{Ours, Theirs}
			if pair%2 == 1 {
				slices.Reverse(tools)
			}
			for _, tool := range tools {
				run, err := c.one(ctx, tool, kind.role)
				if err != nil {
					return runs, fmt.Errorf("cannot measure the join of a %s by %s: %w", kind.role, tool, err)
				}
				fmt.Fprintf(j.Log, "%s, pair %d: %-10s returned %5.2f s, registered %5.2f s\n", kind.role, pair+1, tool, run.Returned, run.Registered)
				runs = append(runs, run)
			}
		}
	}
	return runs, nil
}

func (c *joins) start(ctx context.Context) error {
	machines, err := c.lab.BootAll(bed.Spec{Name: "first", KubeletUnit: true, Binaries: c.binaries})
	if err != nil {
		return err
	}
	c.first = machines[0]
	text := bed.InitConfig(c.first, bed.WithEndpoint(c.first.IP()+":6443"))
	if err := os.WriteFile(c.first.Path(initFile), []byte(text), 0o600); err != nil {
		return err
	}
	said, err := output(c.first.CommandContext(ctx, "kubewright", "init", "--config", initFile, "--upload-certs"))
	if err != nil {
		return err
	}
	worker, controlPlane := bed.ReadJoin(said)
	if worker == nil || controlPlane == nil {
		return errors.New("init printed no join commands")
	}
	c.commands = map[string][]string{Worker: worker, ControlPlane: controlPlane}
	data, err := os.ReadFile(c.first.Path(bed.AdminConf))
	if err != nil {
		return err
	}
	if c.api, err = cluster.New(data, cluster.Options{Read: os.ReadFile, Patience: 10 * time.Second}); err != nil {
		return err
	}
	return c.lab.WaitReady(ctx, c.log, c.first.Name)
}

// one joins a new machine, and lets it leave again.
func (c *joins) one(ctx context.Context, tool, role string) (run JoinRun, err error) {
	c.n++
	name := fmt.Sprintf("n%d", c.n)
	machines, err := c.lab.BootAll(bed.Spec{Name: name, KubeletUnit: true, Binaries: c.binaries})
	if err != nil {
		return run, err
	}
	m := machines[0]
	time.Sleep(500 * time.Millisecond) // until it is at rest
	command := slices.Concat([]string{tool, "join"}, c.commands[role])
	if tool == Theirs { // it does not take our cgroups for fit
		command = append(command, "--ignore-preflight-errors=SystemVerification")
	}
	began := time.Now()
	registered := make(chan float64, 1)
	watching, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	go func() {
		defer close(registered)
		for watching.Err() == nil {
			if exists, _, err := c.api.NodeReady(watching, name); err == nil && exists {
				registered <- time.Since(began).Seconds()
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	if _, err := output(m.CommandContext(ctx, command...)); err != nil {
		return run, err
	}
	run = JoinRun{Tool: tool, Role: role, Returned: time.Since(began).Seconds()}
	at, ok := <-registered
	if !ok {
		return run, fmt.Errorf("node %s was not registered within %s", name, patience)
	}
	run.Registered = at
	if err := c.lab.WaitReady(ctx, c.log, name); err != nil {
		return run, err
	}
	return run, c.leave(ctx, m)
}

// leave takes a machine out of the cluster, so that the next one joins the same.
func (c *joins) leave(ctx context.Context, m *bed.Machine) error {
	const admin = "/root/admin.conf"
	data, err := os.ReadFile(c.first.Path(bed.AdminConf))
	if err == nil {
		err = os.WriteFile(m.Path(admin), data, 0o600)
	}
	if err == nil {
		_, err = output(m.CommandContext(ctx, "kubewright", "reset", "-f", "--wipe-etcd", "--kubeconfig", admin))
	}
	return errors.Join(err, m.PowerOff())
}
