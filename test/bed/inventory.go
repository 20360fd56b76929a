package bed

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Item is one thing that a machine has.
type Item struct {
	// Kind is file, dir, symlink, socket, fifo, device, mount, process, unit, unit-file, cgroup, link, address, route, rule, port,
	// nft, iptables, ip6tables, ipvs, ipset or sysctl.
	Kind string
	// Name says which one, as a path, or the whole of it, as a rule.
	Name string
}

// Inventory is everything that a machine has at a moment, with its properties as words like "mode=0644". It has nothing in it that
// changes by itself: no process numbers, no counters, no times.
type Inventory map[Item]string

// add puts in an item without properties; one that is there already is counted.
func (i Inventory) add(kind, name string) {
	item := Item{kind, name}
	times := 1
	if old, ok := i[item]; ok {
		fmt.Sscanf(old, "times=%d", &times) //nolint:errcheck // there is one of it where there is no count
		times++
	}
	i[item] = ""
	if times > 1 {
		i[item] = fmt.Sprintf("times=%d", times)
	}
}

// Inventory looks at everything that the machine has, without changing it. It takes about a second. A program of the test that
// runs in the machine meanwhile is seen, too.
func (m *Machine) Inventory(t testing.TB) Inventory {
	t.Helper()
	inv, err := m.inventory()
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func (m *Machine) inventory() (Inventory, error) {
	inv := Inventory{}
	if err := inv.processes(m.Path("/proc")); err != nil { // before we start our own
		return nil, err
	}
	files, asked := Inventory{}, Inventory{}
	var errs [2]error
	var both sync.WaitGroup
	both.Go(func() { errs[0] = files.files(m) })
	both.Go(func() { errs[1] = asked.ask(m) })
	both.Wait()
	err := errors.Join(errs[0], errs[1], inv.mounts(m), inv.network(m.Init().PID), inv.cgroups(m))
	if err != nil {
		return nil, fmt.Errorf("cannot take the inventory of %s: %w", m.Name, err)
	}
	for _, part := range []Inventory{files, asked} {
		for item, properties := range part {
			inv[item] = properties
		}
	}
	return inv, nil
}

// leftOut is what moves by itself on a machine that nobody touches.
var leftOut = []struct{ pattern, why string }{
	{"/proc", "pseudo files; the settings that components change are items of their own"},
	{"/sys", "pseudo files; cgroups are items of their own"},
	{"/dev", "made at each boot; pts and shm come and go"},
	{"/run/.kw", "copies of the host's settings, which are items of their own"},
	{"/var/log/journal/*", "systemd's journal grows"},
	{"/run/systemd/units/*", "numbers of the invocations of units"},
	{"/run/systemd/journal/*", "streams of services, and how full the journal is"},
	{"/run/systemd/netif", "leases and states of links"},
	{"/run/systemd/notify*", "sockets of systemd"},
	{"/run/log/journal", "systemd's journal grows"},
	{"/run/udev", "events of devices"},
	{"/var/lib/systemd/timers/*", "when a timer has elapsed"},
	{"/var/lib/containerd/*.db", "containerd's databases are written all the time"},
	{"/run/containerd/*.db", "containerd's databases are written all the time"},
	{"/var/lib/containerd/tmpmounts/*", "containerd mounts images there for a moment"},
	{"/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/*/*", "files of images and of containers"},
}

// moves says whether what is at a path moves by itself.
func moves(path string) bool {
	for _, l := range leftOut {
		if matches(l.pattern, path) {
			return true
		}
	}
	return false
}

// pseudo are the file systems whose files are no files.
var pseudo = strings.Fields("proc sysfs cgroup cgroup2 devpts mqueue devtmpfs debugfs tracefs securityfs bpf nsfs pstore configfs fusectl hugetlbfs binfmt_misc")

// clean is the path of a machine's file as the machine sees it.
func clean(root, path string) string { return filepath.Join("/", strings.TrimPrefix(path, root)) }
