package etcd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// boltFile reads the format of bbolt, etcd's database. The library maps the file into memory and believes what is in it: damaged
// pages make it panic, read outside the mapping, or follow a circle of pages until the stack ends, which ends the process. This
// reads only what it needs, and no more than budget bytes.
//
// A file is pages. The first two say in turn, one for each transaction, where the root is. A bucket is a tree of pages: branches
// hold the first key and the number of each page below, leaves keys and values. The values of the root are buckets.
type boltFile struct {
	io.ReaderAt
	pageSize int64
	pages    uint64 // all of the file
	root     uint64
	budget   int64
}

const (
	boltMagic, boltVersion = 0xED0CDAED, 2
	boltBranch, boltLeaf   = 1, 2 // flags of pages
	boltBucket             = 1    // flag of a value

	pageHeader, element, bucketHeader = 16, 16, 16 // lengths in bytes
	metaLength                        = 64

	// boltDepth is more than any tree has that fits on a disk.
	boltDepth = 32
	// boltBudget is far more than the buckets that are read here need: a member takes some hundred bytes.
	boltBudget = 64 << 20
)

var errDamaged = errors.New("it is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// openBolt looks for the newest whole transaction in a file of this size.
func openBolt(file io.ReaderAt, size int64) (*boltFile, error) {
	b := &boltFile{ReaderAt: file, budget: boltBudget}
	var newest uint64
	meta := func(at int64) bool {
		text := make([]byte, pageHeader+metaLength)
		if _, err := file.ReadAt(text, at); err != nil {
			return false
		}
		text = text[pageHeader:]
		sum := fnv.New64a()
		_, _ = sum.Write(text[:56])
		u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
		if u32(text) != boltMagic || u32(text[4:]) != boltVersion || u64(text[56:]) != sum.Sum64() {
			return false
		}
		if transaction := u64(text[48:]); b.pageSize == 0 || transaction > newest {
			b.pageSize, b.root, b.pages, newest = int64(u32(text[8:])), u64(text[16:]), u64(text[40:]), transaction
		}
		return true
	}
	if meta(0) {
		meta(b.pageSize)
	} else { // the second page tells, wherever it is
		for at := int64(1 << 10); at <= 16<<20 && !meta(at); at *= 2 {
		}
	}
	switch {
	case b.pageSize == 0:
		return nil, damaged("it is no database of etcd, or its first pages are gone")
	case b.pageSize < 1<<10 || b.pageSize > 16<<20 || b.pages == 0:
		return nil, damaged("its first pages make no sense")
	case b.pages > uint64(size/b.pageSize):
		return nil, damaged("its end is missing")
	}
	return b, nil
}

// bucket calls f for the values of the bucket of that name, in the order of their keys. False means that there is no such bucket;
// empty, that there is none at all.
func (b *boltFile) bucket(name string, f func(key, value []byte) error) (found, empty bool, err error) {
	var value []byte
	empty = true
	err = b.walk(b.root, func(key, v []byte, flags uint32) error {
		empty = false
		if string(key) == name && flags&boltBucket != 0 {
			found, value = true, bytes.Clone(v)
		}
		return nil
	})
	if err != nil || !found {
		return false, empty, err
	}
	if len(value) < bucketHeader {
		return false, false, damaged("the bucket %s has no root", name)
	}
	each := func(key, v []byte, flags uint32) error {
		if flags&boltBucket != 0 {
			return damaged("a bucket is in the bucket %s", name)
		}
		return f(key, v)
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return true, false, b.walk(root, each)
	}
	// A small bucket is in its value as a page.
	w := walker{file: b, each: each}
	return true, false, w.page(value[bucketHeader:], 0)
}

func (b *boltFile) walk(root uint64, each func(key, value []byte, flags uint32) error) error {
	w := walker{file: b, each: each}
	return w.visit(root, 0)
}

// read returns a page with all that overflows into the next ones.
func (b *boltFile) read(page uint64) ([]byte, error) {
	if page < 2 || page >= b.pages {
		return nil, damaged("it refers to page %d of %d", page, b.pages)
	}
	header := make([]byte, pageHeader)
	at := int64(page) * b.pageSize
	if _, err := b.ReadAt(header, at); err != nil {
		return nil, err
	}
	if id := binary.NativeEndian.Uint64(header); id != page {
		return nil, damaged("page %d says that it is page %d", page, id)
	}
	more := uint64(binary.NativeEndian.Uint32(header[12:]))
	if more >= b.pages-page {
		return nil, damaged("page %d leads beyond the end", page)
	}
	length := int64(more+1) * b.pageSize
	if b.budget -= length; b.budget < 0 {
		return nil, damaged("its pages lead in a circle, or are far too many")
	}
	data := make([]byte, length)
	_, err := b.ReadAt(data, at)
	return data, err
}

// walker goes through the tree of one bucket. Its keys ascend, from page to page too, which also tells when one is met again.
type walker struct {
	file *boltFile
	each func(key, value []byte, flags uint32) error
	last []byte // nil before the first key
}

func (w *walker) visit(page uint64, depth int) error {
	if depth > boltDepth {
		return damaged("its pages lead in a circle")
	}
	data, err := w.file.read(page)
	if err != nil {
		return err
	}
	return w.page(data, depth)
}

func (w *walker) page(data []byte, depth int) error {
	if len(data) < pageHeader {
		return damaged("a bucket has no page")
	}
	flags, count := binary.NativeEndian.Uint16(data[8:]), int(binary.NativeEndian.Uint16(data[10:]))
	if flags != boltBranch && flags != boltLeaf || pageHeader+count*element > len(data) {
		return damaged("a page of data is none")
	}
	for n := range count {
		at := data[pageHeader+n*element:]
		u32 := func(i int) uint32 { return binary.NativeEndian.Uint32(at[i:]) }
		if flags == boltBranch {
			if err := w.visit(binary.NativeEndian.Uint64(at[8:]), depth+1); err != nil {
				return err
			}
			continue
		}
		from, key, value := uint64(u32(4)), uint64(u32(8)), uint64(u32(12))
		if from+key+value > uint64(len(at)) {
			return damaged("a value reaches beyond its page")
		}
		if w.last != nil && bytes.Compare(w.last, at[from:from+key]) >= 0 {
			return damaged("its keys are out of order")
		}
		w.last = append([]byte{}, at[from:from+key]...)
		if err := w.each(w.last, at[from+key:from+key+value], u32(0)); err != nil {
			return err
		}
	}
	return nil
}
