package bed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Spec says what machine to boot. The zero value of every field but Name is the usual one.
type Spec struct {
	Name           string            // host name; the only field that must be set
	KubeletVersion string            // what `kubelet --version` says instead of the truth, such as "v1.35.0"
	NoRuntime      bool              // containerd is installed and does not start
	NoKubelet      bool              // no kubelet binary
	NoCNI          bool              // no network configuration for pods, so the node does not become Ready
	NoImages       bool              // containerd starts without any image
	KubeletUnit    bool              // kubelet.service and 10-kubeadm.conf as the packages ship them, for real kubeadm
	Files          map[string]string // files to lay over the root before it boots, by absolute path, with mode 0644
	Binaries       map[string]string // programs to copy into /usr/bin, from a path of the host, by name
}

// Machine is a booted machine of a lab.
type Machine struct {
	Name  string
	Index int     // picks the address and the pod range
	Init  Process // PID 1 of the machine, as the host sees it

	lab *Lab
}

func (m *Machine) dir() string    { return filepath.Join(m.lab.dir(), "machines", m.Name) }
func (m *Machine) cgroup() string { return m.lab.prefix() + m.Name }

// IP is the machine's address, which the host reaches too.
func (m *Machine) IP() string { return fmt.Sprintf("10.213.%d.%d", m.lab.Index, 10+m.Index) }

// PodNetwork holds the pod ranges of all machines of a lab.
const PodNetwork = "10.244.0.0/16"

// PodRange is where the machine's pods get their addresses.
func (m *Machine) PodRange() string { return fmt.Sprintf("10.244.%d.0/24", m.Index-1) }

// Path is where the host finds a file of the running machine.
func (m *Machine) Path(p string) string {
	return filepath.Join("/proc", fmt.Sprint(m.Init.PID), "root", p)
}

// Boot starts a machine and returns when systemd finished starting it.
func (l *Lab) Boot(spec Spec) (*Machine, error) {
	m, err := l.add(spec.Name)
	if err != nil {
		return nil, fmt.Errorf("cannot boot %s: %w", spec.Name, err)
	}
	if err := m.prepare(spec); err != nil {
		return nil, fmt.Errorf("cannot prepare %s: %w", m.Name, err)
	}
	if err := m.start(); err != nil {
		return nil, fmt.Errorf("cannot boot %s: %w", m.Name, err)
	}
	return m, m.introduce()
}

// start runs the boot script as PID 1 of new namespaces, records it, connects it and lets it go on.
func (m *Machine) start() error {
	groups, err := createCgroups(m.cgroup())
	if err != nil {
		return err
	}
	console, err := os.Create(filepath.Join(m.dir(), "console.log"))
	if err != nil {
		return err
	}
	defer console.Close()
	cmd := exec.Command("/bin/sh", filepath.Join(m.dir(), "boot.sh"))
	cmd.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"KW_DIR=" + m.dir(), "KW_NAME=" + m.Name, "KW_CGROUPS=" + groups,
		"KW_NETWORKS=" + fmt.Sprintf("10.213.%d.0/24, %s, 224.0.0.0/4, 255.255.255.255", m.lab.Index, PodNetwork),
		"KW_LOWER=" + m.lab.Kit.Tools + ":" + m.lab.Kit.Rootfs,
	}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID |
		syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET}
	gate, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() //nolint:errcheck // only so that it does not stay a zombie
	if m.Init, err = processOf(cmd.Process.Pid); err != nil {
		return err
	}
	if err := saveJSON(filepath.Join(m.dir(), "machine.json"), m); err != nil {
		return err
	}
	if err := connect(m.Init.PID, m.lab.prefix()+"br", m.hostEnd(), m.IP()+"/24", m.lab.Gateway()); err != nil {
		return err
	}
	if _, err := gate.Write([]byte("go\n")); err != nil {
		return err
	}
	gate.Close()
	return m.waitUp()
}

// waitUp asks systemd until it says that all units are started.
func (m *Machine) waitUp() error {
	deadline := time.Now().Add(60 * time.Second)
	for {
		out, _ := m.Command("systemctl", "is-system-running").CombinedOutput()
		switch state := strings.TrimSpace(string(out)); {
		case state == "running" || state == "degraded":
			return nil
		case !m.Init.Alive():
			log, _ := os.ReadFile(filepath.Join(m.dir(), "console.log"))
			return fmt.Errorf("PID 1 died:\n%s", log)
		case time.Now().After(deadline):
			return fmt.Errorf("systemd is still %q after a minute", state)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// introduce tells the lab's machines each other's names and pod ranges.
func (m *Machine) introduce() error {
	hosts := "127.0.0.1 localhost\n::1 localhost\n"
	for _, o := range m.lab.Machines() {
		hosts += o.IP() + " " + o.Name + "\n"
	}
	for _, o := range m.lab.Machines() {
		if !o.Init.Alive() {
			continue // not started yet, or off: it gets all of this when it is
		}
		if err := os.WriteFile(o.Path("/etc/hosts"), []byte(hosts), 0o644); err != nil {
			return err
		}
		if o != m {
			if err := routePods(o.Init.PID, m.PodRange(), m.IP()); err != nil {
				return err
			}
			if err := routePods(m.Init.PID, o.PodRange(), o.IP()); err != nil {
				return err
			}
		}
	}
	return nil
}

// PowerCycle ends everything on the machine at once, as a power cut does, and boots it again with its disk as it was.
func (m *Machine) PowerCycle() error {
	err := m.kill()
	if err == nil {
		err = removeLink(m.hostEnd())
	}
	if err == nil {
		err = m.start()
	}
	if err == nil {
		err = m.introduce()
	}
	if err != nil {
		return fmt.Errorf("cannot power-cycle %s: %w", m.Name, err)
	}
	return nil
}

func (m *Machine) hostEnd() string { return fmt.Sprintf("%s%d", m.lab.prefix(), m.Index) }

// kill ends PID 1, and the kernel ends all others with it.
func (m *Machine) kill() error {
	if m.Init.Alive() {
		if err := syscall.Kill(m.Init.PID, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			return fmt.Errorf("cannot end %s: %w", m.Name, err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); m.Init.Alive(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("cannot end %s: process %d stays", m.Name, m.Init.PID)
		}
	}
	return nil
}
