package bed

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// processes puts in the command line of each process below a /proc, and its name where it has none.
func (i Inventory) processes(proc string) error {
	all, err := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	if err != nil {
		return err
	}
	for _, p := range all {
		command, err := os.ReadFile(filepath.Join(p, "cmdline"))
		name, nameErr := os.ReadFile(filepath.Join(p, "comm"))
		switch {
		case err != nil || nameErr != nil: // it has ended
		case len(command) == 0:
			i.add("process", "["+strings.TrimSpace(string(name))+"]")
		default:
			i.add("process", string(bytes.TrimSpace(bytes.ReplaceAll(command, []byte{0}, []byte{' '}))))
		}
	}
	return nil
}

// mount is one line of mountinfo without its numbers.
type mount struct{ root, point, options, kind, source, super string }

func readMounts(m *Machine) ([]mount, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", m.Init().PID))
	if err != nil {
		return nil, err
	}
	return parseMounts(string(data)), nil
}

// parseMounts reads mountinfo: number, parent, device, root, mount point, options, fields about propagation, "-", type, source,
// options of the file system. A space in a path is \040 there.
func parseMounts(text string) []mount {
	var all []mount
	for line := range strings.Lines(text) {
		left, right, _ := strings.Cut(line, " - ")
		a, b := strings.Fields(left), strings.Fields(right)
		if len(a) < 6 || len(b) < 3 {
			continue
		}
		all = append(all, mount{root: a[3], point: a[4], options: a[5], kind: b[0], source: b[1], super: b[2]})
	}
	return all
}

// mounts puts in the machine's mounts. Where several are one over the other, they are counted.
func (i Inventory) mounts(m *Machine) error {
	all, err := readMounts(m)
	if err != nil {
		return err
	}
	for _, mount := range all {
		i.add("mount", strings.Join([]string{mount.point, mount.kind, mount.source, mount.root, mount.options}, " "))
	}
	return nil
}

// cgroups puts in the groups below the machine's own, with the hierarchies that have them.
func (i Inventory) cgroups(m *Machine) error {
	for _, h := range hierarchies() {
		top := filepath.Join(h.path, m.cgroup())
		err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
			switch {
			case os.IsNotExist(err):
			case err != nil:
				return err
			case d.IsDir() && p != top:
				group := Item{"cgroup", strings.TrimPrefix(p, top)}
				i[group] = strings.TrimPrefix(i[group]+","+filepath.Base(h.path), ",")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for item, where := range i {
		if item.Kind == "cgroup" {
			i[item] = "in=" + where
		}
	}
	return nil
}

// network puts in the links, addresses, routes and rules of a process's network namespace. Routes that the kernel makes of addresses
// by itself, which are those of table local, go with these.
func (i Inventory) network(pid int) error {
	h, done, err := handleOf(pid)
	if err != nil {
		return err
	}
	defer done()
	links, err := h.LinkList()
	if err != nil {
		return fmt.Errorf("cannot list links: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	for _, l := range links {
		a := l.Attrs()
		i[Item{"link", a.Name}] = fmt.Sprintf("type=%s mac=%s mtu=%d flags=%s promisc=%d master=%s",
			l.Type(), a.HardwareAddr, a.MTU, a.Flags, a.Promisc, names[a.MasterIndex])
		addresses, err := h.AddrList(l, netlink.FAMILY_ALL)
		if err != nil {
			return fmt.Errorf("cannot list addresses: %w", err)
		}
		for _, address := range addresses {
			i.add("address", address.IPNet.String()+" "+a.Name)
		}
	}
	routes, err := h.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return fmt.Errorf("cannot list routes: %w", err)
	}
	for _, r := range routes {
		if r.Table != unix.RT_TABLE_LOCAL {
			i.add("route", fmt.Sprintf("%v via %v dev %s src %v table %d type %d", r.Dst, r.Gw, names[r.LinkIndex], r.Src, r.Table, r.Type))
		}
	}
	rules, err := h.RuleList(netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("cannot list rules of routing: %w", err)
	}
	for _, r := range rules {
		i.add("rule", r.String())
	}
	if sets, err := h.IpsetListAll(); err == nil { // else the kernel has none
		for _, s := range sets {
			i[Item{"ipset", s.SetName}] = fmt.Sprintf("type=%s entries=%d", s.TypeName, s.NumEntries)
		}
	}
	return nil
}
