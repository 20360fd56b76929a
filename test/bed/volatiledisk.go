package bed

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
)

// volatileDisk is a disk with a write cache that forgets when the power fails, as most disks are. A write is answered when it is in
// the cache; a flush, which is what fsync becomes, puts the cache into the file first and is answered then. Cut is the power cut.
//
// No cache mode of qemu does this: with each of them what a write has put into the host's file or page cache is still there when
// qemu is killed, flushed or not. Only what the guest's kernel had not yet sent would be lost.
type volatileDisk struct {
	mu    sync.Mutex // guards what follows
	file  *os.File
	size  int64
	cache map[int64][]byte // by number of the block
	off   bool
	wrote int64 // bytes that were written since the power was switched on
}

const (
	// diskBlock is what the disk writes in one piece, in bytes. Within a block there are no torn writes, as on disks of today.
	diskBlock = 4096
	// diskCache is how many blocks the cache holds: 64 MiB, as a usual disk does. A full cache is written out.
	diskCache = 64 << 20 / diskBlock
)

func openVolatileDisk(path string) (*volatileDisk, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if info.Size()%diskBlock != 0 {
		f.Close()
		return nil, fmt.Errorf("cannot use %s as a disk: its size is no multiple of %d", path, diskBlock)
	}
	return &volatileDisk{file: f, size: info.Size(), cache: map[int64][]byte{}}, nil
}

func (d *volatileDisk) Close() error { return d.file.Close() }

// errPower is the answer of a disk without power.
var errPower = fmt.Errorf("the disk has no power")

// On switches the power on.
func (d *volatileDisk) On() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off, d.wrote = false, 0
}

// lost says what became of the cache in a power cut.
type lost struct {
	cached, kept int // blocks that were not flushed, and those of them that the disk had written nonetheless
	since        int64
}

// Cut switches the power off. Of the blocks that were not flushed the disk may have written any: each is kept with the probability,
// as the random source has it.
func (d *volatileDisk) Cut(random *rand.Rand, keep float64) (lost, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	l := lost{cached: len(d.cache), since: d.wrote}
	for _, n := range d.cached() {
		if random.Float64() >= keep {
			continue
		}
		l.kept++
		if _, err := d.file.WriteAt(d.cache[n], n*diskBlock); err != nil {
			return l, err
		}
	}
	clear(d.cache)
	return l, nil
}

func (d *volatileDisk) cached() []int64 {
	var list []int64
	for n := range d.cache {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

// ReadAt reads what was written last, flushed or not.
func (d *volatileDisk) ReadAt(p []byte, at int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pieces(p, at, func(part []byte, block, from int64) error {
		if data, ok := d.cache[block]; ok {
			copy(part, data[from:])
			return nil
		}
		_, err := d.file.ReadAt(part, block*diskBlock+from)
		return err
	})
}

// WriteAt puts data into the cache.
func (d *volatileDisk) WriteAt(p []byte, at int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.pieces(p, at, func(part []byte, block, from int64) error {
		data, ok := d.cache[block]
		if !ok {
			data = make([]byte, diskBlock)
			if len(part) < diskBlock {
				if _, err := d.file.ReadAt(data, block*diskBlock); err != nil {
					return err
				}
			}
			d.cache[block] = data
		}
		copy(data[from:], part)
		return nil
	})
	d.wrote += int64(n)
	if err == nil && len(d.cache) > diskCache {
		err = d.flush()
	}
	return n, err
}

// Flush makes everything that was written durable.
func (d *volatileDisk) Flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return errPower
	}
	return d.flush()
}

func (d *volatileDisk) flush() error {
	for n, data := range d.cache {
		if _, err := d.file.WriteAt(data, n*diskBlock); err != nil {
			return err
		}
	}
	clear(d.cache)
	return nil
}

// pieces calls do for the part of each block that lies in p.
func (d *volatileDisk) pieces(p []byte, at int64, do func(part []byte, block, from int64) error) (n int, err error) {
	switch {
	case d.off:
		return 0, errPower
	case at < 0 || at+int64(len(p)) > d.size:
		return 0, io.ErrUnexpectedEOF
	}
	for n < len(p) {
		block, from := (at+int64(n))/diskBlock, (at+int64(n))%diskBlock
		end := min(n+int(diskBlock-from), len(p))
		if err := do(p[n:end], block, from); err != nil {
			return n, err
		}
		n = end
	}
	return n, nil
}
