package bed

import (
	"fmt"
	"path/filepath"
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
	Audit          bool              // a policy at AuditPolicy, which a control plane of WithAudit needs
	Files          map[string]string // files to lay over the root before it boots, by absolute path, with mode 0644
	Binaries       map[string]string // programs to copy into /usr/bin, from a path of the host, by name
}

// Machine is a machine of a lab: booting, up, or powered off.
type Machine struct {
	Name  string
	Index int // picks the address and the pod range

	lab   *Lab
	state machineState // guarded by the lab's mu
}

// machineState is what changes about a machine.
type machineState struct {
	Init Process // PID 1 of the machine, as the host sees it
	Up   bool    // systemd has started everything, and the machine was not powered off since
}

// machineRecord is the file machine.json.
type machineRecord struct {
	Name  string
	Index int
	machineState
}

// Init is PID 1 of the machine, as the host sees it; zero before it boots. It may be dead.
func (m *Machine) Init() Process { return m.current().Init }

// up says whether the machine is there to be talked to.
func (m *Machine) up() bool { s := m.current(); return s.Up && s.Init.Alive() }

func (m *Machine) current() machineState {
	m.lab.mu.Lock()
	defer m.lab.mu.Unlock()
	return m.state
}

// record keeps a new state, for us and for other processes.
func (m *Machine) record(s machineState) error {
	m.lab.mu.Lock()
	m.state = s
	m.lab.mu.Unlock()
	return saveJSON(filepath.Join(m.dir(), "machine.json"), machineRecord{m.Name, m.Index, s})
}

func (m *Machine) dir() string    { return filepath.Join(m.lab.dir(), "machines", m.Name) }
func (m *Machine) cgroup() string { return m.lab.prefix() + m.Name }

// IP is the machine's address, which the host reaches too.
func (m *Machine) IP() string { return fmt.Sprintf("10.213.%d.%d", m.lab.Index, 10+m.Index) }

// PodNetwork holds the pod ranges of all machines of a lab.
const PodNetwork = "10.244.0.0/16"

// PodRange is where the machine's pods get their addresses.
func (m *Machine) PodRange() string { return fmt.Sprintf("10.244.%d.0/24", m.Index-1) }

// Path is where the host finds a file of the machine while it is up.
func (m *Machine) Path(p string) string {
	return filepath.Join("/proc", fmt.Sprint(m.Init().PID), "root", p)
}

// diskPath is where the host finds a file that was written on the machine's root disk, up or not.
func (m *Machine) diskPath(p string) string { return filepath.Join(m.dir(), "upper", p) }

func (m *Machine) hostEnd() string { return fmt.Sprintf("%s%d", m.lab.prefix(), m.Index) }
