package bed

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// cluster runs init, waits for the cluster, and runs init again, which has to find nothing to do.
func (m *virtual) cluster(ctx context.Context, tool string) error {
	start := time.Now()
	if err := m.init(ctx, tool); err != nil {
		return err
	}
	m.say("%s init took %s", tool, since(start))
	if err := m.waitReady(ctx); err != nil {
		return err
	}
	m.say("the cluster is ready, %s after init began", since(start))
	if err := m.show(ctx); err != nil {
		return err
	}
	if tool != "kubewright" {
		return nil
	}
	return m.again(ctx)
}

// again runs init on the machine that is finished.
func (m *virtual) again(ctx context.Context) error {
	ctx, cancel := watch(ctx, "the second init", 8*time.Minute, 20*time.Second, m.clusterMark)
	defer cancel()
	start := time.Now()
	events, err := m.output(ctx, "kubewright", "init", "--config", initFile, "-o", "json")
	if err != nil {
		return fmt.Errorf("cannot run kubewright init the second time: %w\n%s", err, events)
	}
	seen, err := readEvents(events)
	if err != nil {
		return fmt.Errorf("cannot read what the second init says: %w", err)
	}
	for _, w := range seen.waits {
		m.say("the second init had to %s", w) // a component that restarts is nothing to change
	}
	if len(seen.changes) > 0 {
		return fmt.Errorf("the second init changed what the first one left:\n  %s", strings.Join(seen.changes, "\n  "))
	}
	m.say("the second init looked at %d things and had nothing to change, in %s", seen.same, since(start))
	return nil
}

// initFile is where the VM has the configuration.
const initFile = "/root/init.yaml"

// init runs the tool's init. What it says goes to the log.
func (m *virtual) init(ctx context.Context, tool string) error {
	ctx, cancel := watch(ctx, tool+" init", 8*time.Minute, 20*time.Second, m.clusterMark)
	defer cancel()
	out := io.MultiWriter(m.log, counter{&m.said})
	code, err := m.agent.Run(ctx, out, out, tool, "init", "--config", initFile)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d", code)
	}
	if err != nil {
		return fmt.Errorf("cannot run %s init: %w", tool, err)
	}
	return nil
}

// waitReady waits until all nodes and kube-system pods are ready, as kubectl in the VM sees them.
func (m *virtual) waitReady(ctx context.Context) error {
	ctx, cancel := watch(ctx, "the cluster to become ready", 8*time.Minute, 20*time.Second, m.clusterMark)
	defer cancel()
	return waitReady(ctx, m.log, 5*time.Second, func(ctx context.Context) ([]string, error) {
		out, err := m.kubectl(ctx, "get", "nodes,pods", "-n", "kube-system", "-o", "json", "--request-timeout=60s")
		if err != nil {
			return nil, err
		}
		return notReady([]byte(out))
	})
}

func (m *virtual) kubectl(ctx context.Context, args ...string) (string, error) {
	return m.output(ctx, append([]string{"kubectl", "--kubeconfig", AdminConf}, args...)...)
}

func (m *virtual) show(ctx context.Context) error {
	text, err := m.kubectl(ctx, "get", "nodes,pods", "-A", "-o", "wide")
	if err == nil {
		_, err = io.WriteString(m.out, text)
	}
	return err
}

// consoleMark changes when the console gets text.
func (m *virtual) consoleMark(context.Context) string {
	info, err := os.Stat(m.console)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size())
}

// clusterMark changes when the command in the VM says something, or a container does, or one is created or ends.
func (m *virtual) clusterMark(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	logs, _ := m.output(ctx, "sh", "-c", "find /var/log/pods -type f -printf '%p %s\n' | sort | cksum")
	return fmt.Sprintln(m.said.Load(), logs)
}

// counter counts bytes.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
