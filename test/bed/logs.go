package bed

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// collected are the commands whose output tells most about a machine, by the name of the file they go to.
var collected = map[string][]string{
	"kubelet.log":    {"journalctl", "--no-pager", "-o", "short-precise", "-u", "kubelet"},
	"containerd.log": {"journalctl", "--no-pager", "-o", "short-precise", "-u", "containerd"},
	"systemd.log":    {"journalctl", "--no-pager", "-o", "short-precise", "_PID=1"},
	"processes.txt":  {"ps", "axfww", "-o", "pid,etime,rss,args"},
	"units.txt":      {"systemctl", "--no-pager", "list-units", "--all"},
	"containers.txt": {"ctr", "-n", "k8s.io", "tasks", "ls"},
}

// SaveLogs keeps what explains a failure in a folder of the cache and returns the folder. It takes what it can get.
func (l *Lab) SaveLogs() string {
	dir := filepath.Join(l.cache.Dir, "logs", l.Name)
	for _, m := range l.Machines() {
		to := mkdir(dir, m.Name)
		copied := []string{"/var/log/pods", "/etc/kubernetes/manifests", "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/kubeadm-flags.env"}
		from := m.diskPath("/") // what is there when the machine is dead
		if m.Init().Alive() {
			from = m.Path("/")
			for name, args := range collected {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				out, _ := m.CommandContext(ctx, args...).CombinedOutput()
				cancel()
				os.WriteFile(filepath.Join(to, name), out, 0o600) //nolint:errcheck // as much as possible
			}
		}
		for _, path := range copied {
			exec.Command("cp", "-aL", filepath.Join(from, path), to).Run() //nolint:errcheck // as much as possible
		}
		exec.Command("cp", filepath.Join(m.dir(), "console.log"), to).Run() //nolint:errcheck // as much as possible
	}
	exec.Command("cp", l.balancerLog(), mkdir(dir, "")).Run() //nolint:errcheck // there may be no load balancer
	return dir
}
