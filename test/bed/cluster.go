package bed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strings"
	"time"
)

// InitConfig is the smallest configuration with which kubewright, or kubeadm, makes a cluster on the machine: what the
// bed's way of making machines asks for, and nothing else.
func InitConfig(m *Machine) string {
	return fmt.Sprintf(fileOf("init.yaml"), m.IP(), m.Name, KubernetesVersion)
}

// AdminConf is where the machine has the administrator's kubeconfig after init.
const AdminConf = "/etc/kubernetes/admin.conf"

// KubectlCommand prepares the host's kubectl with the cluster's administrator kubeconfig.
func (m *Machine) KubectlCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, m.lab.Kit.Kubectl, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+m.Path(AdminConf))
	return cmd
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

// NotReady lists the nodes and kube-system pods that are not ready, with what they say about it. It needs a node and
// CoreDNS to be there.
func (m *Machine) NotReady(ctx context.Context) ([]string, error) {
	out, err := m.KubectlCommand(ctx, "get", "nodes,pods", "-n", "kube-system", "-o", "json", "--request-timeout=5s").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list nodes and pods: %w", err)
	}
	return notReady(out)
}

// notReady reads what `kubectl get nodes,pods -o json` wrote.
func notReady(out []byte) ([]string, error) {
	var list objects
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("cannot read nodes and pods: %w", err)
	}
	wanted := map[string]bool{"Node/": false, "Pod/coredns-": false, "Pod/kube-proxy-": false}
	var bad []string
	for _, o := range list.Items {
		name := o.Kind + "/" + o.Metadata.Name
		for prefix := range wanted {
			wanted[prefix] = wanted[prefix] || strings.HasPrefix(name, prefix)
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
			bad = append(bad, strings.TrimRight(prefix, "/-")+": not there yet")
		}
	}
	sort.Strings(bad)
	return bad, nil
}

// WaitReady waits until all nodes and kube-system pods are ready and tells log what it waits for when that changes.
func (m *Machine) WaitReady(ctx context.Context, log io.Writer) error {
	return waitReady(ctx, log, 300*time.Millisecond, m.NotReady)
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
