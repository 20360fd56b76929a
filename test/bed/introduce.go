package bed

import "os"

// introduce tells the lab's machines each other's names and pod ranges. It goes to no machine that is not up: before systemd
// runs in it, a machine's root and its /etc/hosts are still the host's.
func (m *Machine) introduce() error {
	m.lab.meeting.Lock()
	defer m.lab.meeting.Unlock()
	if err := m.record(machineState{Init: m.Init(), Up: true}); err != nil {
		return err
	}
	hosts := "127.0.0.1 localhost\n::1 localhost\n"
	for _, o := range m.lab.Machines() {
		hosts += o.IP() + " " + o.Name + "\n"
	}
	for _, o := range m.lab.Machines() {
		if !o.up() {
			continue // not started yet, or off: it gets all of this when it is
		}
		if err := replaceFile(o.Path("/etc/hosts"), hosts); err != nil {
			return err
		}
		if o != m {
			if err := routePods(o.Init().PID, m.PodRange(), m.IP()); err != nil {
				return err
			}
			if err := routePods(m.Init().PID, o.PodRange(), o.IP()); err != nil {
				return err
			}
		}
	}
	return nil
}

// replaceFile writes a file so that others see the old text or the new one. A look-up between the two would fail: names are
// nowhere else.
func replaceFile(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
