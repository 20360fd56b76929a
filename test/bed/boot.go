package bed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Boot starts a machine and returns when systemd finished starting it.
func (l *Lab) Boot(spec Spec) (*Machine, error) {
	machines, err := l.BootAll(spec)
	return machines[0], err
}

// BootAll starts machines at the same time and returns them in the order of the specs, when all have started or failed.
// A machine that could not be added is nil.
func (l *Lab) BootAll(specs ...Spec) ([]*Machine, error) {
	machines, errs := make([]*Machine, len(specs)), make([]error, len(specs))
	var all sync.WaitGroup
	for i, spec := range specs {
		if machines[i], errs[i] = l.add(spec.Name); errs[i] != nil {
			continue
		}
		all.Go(func() { errs[i] = machines[i].boot(spec) })
	}
	all.Wait()
	return machines, errors.Join(errs...)
}

func (m *Machine) boot(spec Spec) error {
	if err := m.prepare(spec); err != nil {
		return fmt.Errorf("cannot prepare %s: %w", m.Name, err)
	}
	return m.PowerOn()
}

// PowerOn boots a machine that is off, with its disk as it is, and returns when systemd finished starting it.
func (m *Machine) PowerOn() error {
	err := m.start()
	if err == nil {
		err = m.introduce()
	}
	if err != nil {
		return fmt.Errorf("cannot boot %s: %w", m.Name, err)
	}
	return nil
}

// PowerOff ends everything on the machine at once, as a power cut does. It stays off until PowerOn.
func (m *Machine) PowerOff() error {
	m.lab.meeting.Lock() // whoever talks to the machine now may finish, and nobody begins
	err := m.record(machineState{Init: m.Init()})
	m.lab.meeting.Unlock()
	if err == nil {
		err = m.kill()
	}
	if err == nil {
		err = removeLink(m.hostEnd())
	}
	if err != nil {
		return fmt.Errorf("cannot power %s off: %w", m.Name, err)
	}
	return nil
}

// PowerCycle is PowerOff, and PowerOn at once.
func (m *Machine) PowerCycle() error {
	if err := m.PowerOff(); err != nil {
		return err
	}
	return m.PowerOn()
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
	init, err := processOf(cmd.Process.Pid)
	if err != nil {
		return err
	}
	if err := m.record(machineState{Init: init}); err != nil {
		return err
	}
	if err := connect(init.PID, m.lab.prefix()+"br", m.hostEnd(), m.IP()+"/24", m.lab.Gateway()); err != nil {
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
		case !m.Init().Alive():
			log, _ := os.ReadFile(filepath.Join(m.dir(), "console.log"))
			return fmt.Errorf("PID 1 died:\n%s", log)
		case time.Now().After(deadline):
			return fmt.Errorf("systemd is still %q after a minute", state)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// kill ends PID 1, and the kernel ends all others with it.
func (m *Machine) kill() error {
	thawAll := func() {
		for _, h := range hierarchies() {
			thaw(filepath.Join(h.path, m.cgroup()))
		}
	}
	if err := m.Init().kill(syscall.SIGKILL, thawAll); err != nil {
		return fmt.Errorf("cannot end %s: %w", m.Name, err)
	}
	return nil
}
