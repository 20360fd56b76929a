// Package bed makes disposable machines with systemd, containerd, a kubelet and the real components of Kubernetes, in namespaces
// of this host, and gives tests hands to use them. What it leaves is nothing: everything that a lab owns is recorded before it exists.
package bed

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync"
)

// Lab is a few machines on a network of their own. What it owns is recorded in its folder before it exists, so that
// another process can take the lab down after this one died at any point.
type Lab struct {
	Name  string
	Index int     // picks the bridge, the addresses and the cgroup names; no two labs of a host share one
	Owner Process // the process whose death makes the lab garbage; zero for a lab that outlives its maker
	Maker Process // a process that would go on making machines, so that Down ends it first; zero for none
	Kit   Kit     // what its machines are made from

	cache     Cache
	meeting   sync.Mutex // held while machines are told of each other, and while one leaves
	balancing sync.Mutex // held while the load balancer is started
	mu        sync.Mutex // guards machines, and the state of each of them
	machines  map[string]*Machine
}

// labs is the folder that holds every lab's folder.
func (c Cache) labs() string { return filepath.Join(c.Dir, "labs") }

func (l *Lab) dir() string { return filepath.Join(l.cache.labs(), l.Name) }

// Prefix starts the names of the lab's bridge, links and cgroups.
func (l *Lab) prefix() string { return fmt.Sprintf("kw%d-", l.Index) }

// Gateway is the host's address on the lab's network.
func (l *Lab) Gateway() string { return fmt.Sprintf("10.213.%d.1", l.Index) }

// CreateLab makes an empty lab with a free network. A lab of that name must not be there. Owner and maker may be zero.
func CreateLab(cache Cache, kit Kit, name string, owner, maker Process) (*Lab, error) {
	if err := os.MkdirAll(cache.labs(), 0o755); err != nil {
		return nil, fmt.Errorf("cannot create lab %s: %w", name, err)
	}
	unlock, err := lockFile(filepath.Join(cache.labs(), ".lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	l := &Lab{Name: name, Owner: owner, Maker: maker, Kit: kit, cache: cache, machines: map[string]*Machine{}}
	if _, err := os.Stat(filepath.Join(l.dir(), "lab.json")); err == nil {
		return nil, fmt.Errorf("cannot create lab %s: it is there already", name)
	}
	taken := map[int]bool{}
	others, err := ListLabs(cache)
	if err != nil {
		return nil, err
	}
	for _, o := range others {
		taken[o.Index] = true
	}
	for l.Index = 1; taken[l.Index] || linkExists(l.prefix()+"br"); l.Index++ {
		if l.Index > 200 {
			return nil, fmt.Errorf("cannot create lab %s: 200 labs are up", name)
		}
	}
	if err := saveJSON(filepath.Join(l.dir(), "lab.json"), l); err != nil {
		return nil, fmt.Errorf("cannot create lab %s: %w", name, err)
	}
	return l, createBridge(l.prefix()+"br", l.Gateway()+"/24")
}

// OpenLab returns a lab that some process created, with its machines.
func OpenLab(cache Cache, name string) (*Lab, error) {
	l := &Lab{cache: cache, machines: map[string]*Machine{}}
	if err := loadJSON(filepath.Join(cache.labs(), name, "lab.json"), l); err != nil {
		return nil, fmt.Errorf("cannot open lab %s: %w", name, err)
	}
	found, err := filepath.Glob(filepath.Join(l.dir(), "machines", "*", "machine.json"))
	if err != nil {
		return nil, err
	}
	for _, path := range found {
		var r machineRecord
		if err := loadJSON(path, &r); err != nil {
			return nil, fmt.Errorf("cannot open lab %s: %w", name, err)
		}
		l.machines[r.Name] = &Machine{Name: r.Name, Index: r.Index, lab: l, state: r.machineState}
	}
	return l, nil
}

// ListLabs returns every lab that is recorded, complete or not, by name.
func ListLabs(cache Cache) ([]*Lab, error) {
	entries, err := os.ReadDir(cache.labs())
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("cannot list labs: %w", err)
	}
	var labs []*Lab
	for _, e := range entries {
		if l, err := OpenLab(cache, e.Name()); err == nil {
			labs = append(labs, l)
		}
	}
	return labs, nil
}

// add records a new machine.
func (l *Lab) add(name string) (*Machine, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.machines[name] != nil {
		return nil, fmt.Errorf("lab %s has a machine %s already", l.Name, name)
	}
	m := &Machine{Name: name, Index: len(l.machines) + 1, lab: l}
	l.machines[name] = m
	return m, nil
}

// Machines returns the lab's machines by name.
func (l *Lab) Machines() []*Machine {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*Machine
	for _, m := range l.machines {
		list = append(list, m)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// Get returns the machine of that name, or an error that names those there are.
func (l *Lab) Get(name string) (*Machine, error) {
	var names []string
	for _, m := range l.Machines() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return nil, fmt.Errorf("cannot find machine %q in lab %s: it has %v", name, l.Name, names)
}

func saveJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(path+".tmp", string(data)+"\n", 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

func loadJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}
