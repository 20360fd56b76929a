package bed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// AdminConf is where the machine has the administrator's kubeconfig after init.
const AdminConf = "/etc/kubernetes/admin.conf"

// KubectlCommand prepares the host's kubectl with the administrator's kubeconfig that this machine has.
func (m *Machine) KubectlCommand(ctx context.Context, args ...string) *exec.Cmd {
	return m.lab.kubectl(ctx, m.diskPath(AdminConf), args)
}

// KubectlCommand prepares the host's kubectl with the first administrator's kubeconfig that there is on the disk of a machine,
// up or not. In a cluster whose controlPlaneEndpoint is the load balancer it works for as long as one control plane does.
func (l *Lab) KubectlCommand(ctx context.Context, args ...string) *exec.Cmd {
	return l.kubectl(ctx, l.kubeconfig(), args)
}

func (l *Lab) kubeconfig() string {
	for _, m := range l.Machines() {
		if info, err := os.Lstat(m.diskPath(AdminConf)); err == nil && info.Mode().IsRegular() { // else it was removed
			return m.diskPath(AdminConf)
		}
	}
	return filepath.Join(l.dir(), "none-of-the-machines-has"+AdminConf) // for the error of kubectl
}

func (l *Lab) kubectl(ctx context.Context, kubeconfig string, args []string) *exec.Cmd {
	return exec.CommandContext(ctx, l.Kit.Kubectl, append([]string{"--kubeconfig", kubeconfig}, args...)...)
}

// objects is what WaitReady reads of `kubectl get -o json`.
type objects struct {
	Items []struct {
		Kind     string
		Metadata struct{ Name, Namespace string }
		Status   struct {
			Phase      string
			Conditions []struct{ Type, Status, Message string }
		}
	}
}

// notReady lists the nodes and pods that are not ready, with what they say about it, in what `kubectl get nodes,pods -o json`
// wrote. CoreDNS, kube-proxy and the nodes of these names have to be there, or else any node.
func notReady(out []byte, nodes ...string) ([]string, error) {
	var list objects
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("cannot read nodes and pods: %w", err)
	}
	wanted := map[string]bool{"Node/": false, "Pod/coredns-": false, "Pod/kube-proxy-": false} // beginnings of names
	for _, node := range nodes {
		wanted["Node/"+node+"$"] = false // the whole of a name
	}
	var bad []string
	for _, o := range list.Items {
		name := o.Kind + "/" + o.Metadata.Name
		for prefix := range wanted {
			wanted[prefix] = wanted[prefix] || strings.HasPrefix(name+"$", prefix)
		}
		state, why := "False", o.Status.Phase
		for _, c := range o.Status.Conditions {
			if c.Type == "Ready" {
				state = c.Status
				if c.Message != "" {
					why = c.Message
				}
			}
		}
		if state != "True" {
			bad = append(bad, name+": "+why)
		}
	}
	for prefix, found := range wanted {
		if !found {
			bad = append(bad, strings.TrimRight(prefix, "/-$")+": not there yet")
		}
	}
	sort.Strings(bad)
	return bad, nil
}

// WaitReady waits until all nodes and kube-system pods are ready, as this machine's kubeconfig shows them, and tells log what
// it waits for when that changes.
func (m *Machine) WaitReady(ctx context.Context, log io.Writer) error {
	return waitReady(ctx, log, 300*time.Millisecond, asking(m.KubectlCommand))
}

// WaitReady waits until nodes of these names are there and all nodes and kube-system pods are ready, and tells log what it
// waits for when that changes.
func (l *Lab) WaitReady(ctx context.Context, log io.Writer, nodes ...string) error {
	return waitReady(ctx, log, 300*time.Millisecond, asking(l.KubectlCommand, nodes...))
}

// asking asks kubectl what notReady reads.
func asking(kubectl func(context.Context, ...string) *exec.Cmd, nodes ...string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		out, err := kubectl(ctx, "get", "nodes,pods", "-n", "kube-system", "-o", "json", "--request-timeout=5s").Output()
		if err != nil {
			return nil, fmt.Errorf("cannot list nodes and pods: %w", err)
		}
		return notReady(out, nodes...)
	}
}

// waitReady is WaitReady with any way to ask, and a time between two questions.
func waitReady(ctx context.Context, log io.Writer, pause time.Duration, ask func(context.Context) ([]string, error)) error {
	last := ""
	for {
		bad, err := ask(ctx)
		if err == nil && len(bad) == 0 {
			return nil
		}
		var names []string
		for _, b := range bad {
			name, _, _ := strings.Cut(b, ":")
			names = append(names, strings.TrimPrefix(name, "Pod/"))
		}
		now := strings.Join(names, ", ")
		if err != nil {
			now = "the API server"
		}
		if now != last {
			fmt.Fprintf(log, "bed: waiting for %s\n", now)
			last = now
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot see the cluster become ready: %w\n%s", errors.Join(err, context.Cause(ctx)), strings.Join(bad, "\n"))
		case <-time.After(pause):
		}
	}
}
