package bed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// cluster makes one cluster of the machines and shows it.
func (u Up) cluster(lab *Lab, machines []*Machine) error {
	start := time.Now()
	said, err := u.init(machines[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(u.Log, "bed: %s init took %s\n", u.Tool, since(start))
	if err := u.join(machines, said); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	var names []string
	for _, m := range machines {
		names = append(names, m.Name)
	}
	if err := lab.WaitReady(ctx, u.Log, names...); err != nil {
		return err
	}
	if err := u.workload(ctx, lab); err != nil {
		return err
	}
	fmt.Fprintf(u.Log, "bed: the cluster is ready, %s after init began\n", since(start))
	return u.closing(ctx, lab)
}

// init runs the tool's init and returns what it wrote to stdout.
func (u Up) init(m *Machine) (string, error) {
	config := InitConfig(m, WithEndpoint(m.lab.Endpoint()))
	if u.Config != "" {
		data, err := os.ReadFile(u.Config)
		if err != nil {
			return "", err
		}
		config = string(data)
	}
	if err := os.WriteFile(m.Path("/root/init.yaml"), []byte(config), 0o600); err != nil {
		return "", err
	}
	var said bytes.Buffer
	err := u.run(m, io.MultiWriter(u.Log, &said), u.Log, "init", "--config", "/root/init.yaml", "--upload-certs")
	return said.String(), err
}

// join runs the join commands that init has said: control planes one after the other, as administrators do, then all workers
// at once.
func (u Up) join(machines []*Machine, said string) error {
	worker, controlPlane := ReadJoin(said)
	switch {
	case u.ControlPlanes > 1 && controlPlane == nil:
		return fmt.Errorf("cannot join %s: init said no command for it; does %s set controlPlaneEndpoint?", machines[1].Name, u.Config)
	case u.Workers > 0 && worker == nil:
		return fmt.Errorf("cannot join %s: init said no command for it", machines[u.ControlPlanes].Name)
	}
	for _, m := range machines[1:u.ControlPlanes] {
		if err := u.joinOne(m, u.Log, controlPlane); err != nil {
			return err
		}
	}
	var all sync.WaitGroup
	errs, log := make([]error, u.Workers), &lockedWriter{w: u.Log}
	for i, m := range machines[u.ControlPlanes:] {
		all.Go(func() { errs[i] = u.joinOne(m, log, worker) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (u Up) joinOne(m *Machine, log io.Writer, args []string) error {
	start := time.Now()
	lines := &prefixWriter{w: log, prefix: m.Name + ": "}
	err := u.run(m, lines, lines, append([]string{"join"}, args...)...)
	lines.flush()
	if err == nil {
		fmt.Fprintf(log, "bed: %s join on %s took %s\n", u.Tool, m.Name, since(start))
	}
	return err
}

// run runs the tool. Kubeadm does not take our cgroups for fit.
func (u Up) run(m *Machine, out, log io.Writer, args ...string) error {
	if u.Tool == "kubeadm" {
		args = append(args, "--ignore-preflight-errors=SystemVerification")
	}
	cmd := m.Command(append([]string{u.Tool}, args...)...)
	cmd.Stdout, cmd.Stderr = out, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot run %s %s on %s (look around with `make shell NODE=%s`): %w", u.Tool, args[0], m.Name, m.Name, err)
	}
	return nil
}

// workload runs a pod on each worker: a DaemonSet that tolerates nothing, so that no control plane takes it.
func (u Up) workload(ctx context.Context, lab *Lab) error {
	if u.Workers == 0 {
		return nil
	}
	apply := lab.KubectlCommand(ctx, "apply", "-f", "-")
	apply.Stdin = strings.NewReader(fill("hello.yaml", struct{ Image string }{ToolImage}))
	if err := runQuiet(apply); err != nil {
		return err
	}
	if err := runQuiet(lab.KubectlCommand(ctx, "rollout", "status", "daemonset/hello")); err != nil {
		return err
	}
	where, err := lab.KubectlCommand(ctx, "get", "pods", "-l", "app=hello", "-o",
		`jsonpath={range .items[*]}{.metadata.name} on {.spec.nodeName}{"\n"}{end}`).Output()
	if err != nil {
		return fmt.Errorf("cannot list the pods of daemonset/hello: %w", err)
	}
	pods := strings.Split(strings.TrimSpace(string(where)), "\n")
	if len(pods) != u.Workers {
		return fmt.Errorf("cannot see daemonset/hello on each of %d workers: it runs %v", u.Workers, pods)
	}
	fmt.Fprintf(u.Log, "bed: on the workers runs daemonset/hello, which tolerates no taint: %s\n", strings.Join(pods, ", "))
	return nil
}

// closing shows the cluster and how to get at it.
func (u Up) closing(ctx context.Context, lab *Lab) error {
	data, err := os.ReadFile(lab.kubeconfig())
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(lab.dir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, data, 0o600); err != nil {
		return err
	}
	cmd := lab.KubectlCommand(ctx, "get", "nodes,pods", "-A", "-o", "wide")
	cmd.Stdout, cmd.Stderr = u.Out, u.Log
	if err := cmd.Run(); err != nil {
		return err
	}
	machines := lab.Machines()
	fmt.Fprintf(u.Log, "\nA shell in a machine:     make shell NODE=%s\nkubectl:                  make kubectl ARGS=\"get nodes\"\n"+
		"From this host:           export KUBECONFIG=%s\nEverything gone again:    make down\n", machines[len(machines)-1].Name, kubeconfig)
	return nil
}
