package host

import "testing"

// Disk is the model of a disk for tests of what uses this package.
type Disk = disk

// NewDisk looks at all that h changes from now on.
func NewDisk(t *testing.T, h *Host, check func(d *Disk)) *Disk { return newDisk(t, h, check) }

// After is what may be at a path after a power cut now.
func (d *disk) After(path string) []string { return d.after(path) }

// Paths are all that have been there.
func (d *disk) Paths() []string {
	var all []string
	for path := range d.names {
		all = append(all, path)
	}
	return all
}
