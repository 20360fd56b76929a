package etcd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// smallPages is a database in pages of 1 KiB, so that it is short and has branches all the same.
func smallPages(t testing.TB, members ...Member) []byte {
	t.Helper()
	path := t.TempDir() + "/db"
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: 1024, NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("members"))
		for _, m := range members {
			value := `{"id":` + strconv.FormatUint(m.ID, 10) + `,"name":"` + m.Name + `"}`
			err = errors.Join(err, bucket.Put([]byte(m.hexID()), []byte(value)))
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// seal makes the checksums of the first two pages right, so that what is wrong behind them is read.
func seal(data []byte) []byte {
	data = bytes.Clone(data)
	for _, at := range []int{pageHeader, 1024 + pageHeader} {
		if len(data) < at+metaLength {
			break
		}
		sum := fnv.New64a()
		_, _ = sum.Write(data[at : at+56])
		binary.NativeEndian.PutUint64(data[at+56:], sum.Sum64())
	}
	return data
}

// Whatever is in a database, reading it ends, and its members are in order.
func FuzzReadMembers(f *testing.F) {
	for _, n := range []int{0, 1, 3, 40} {
		f.Add(smallPages(f, stored(n)...), false)
		f.Add(smallPages(f, stored(n)...), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		if sealed {
			data = seal(data)
		}
		members, err := membersIn(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if !slices.IsSortedFunc(members, func(a, b Member) int { return strings.Compare(a.hexID(), b.hexID()) }) {
			t.Errorf("out of order: %v", members)
		}
	})
}

// A page that is below itself is noticed, wherever it is, and so are pages that all lead to each other.
func TestReadCircle(t *testing.T) {
	good := smallPages(t, stored(300)...)
	branches := 0
	for at := 2 << 10; at < len(good); at += 1 << 10 {
		page := good[at:]
		if binary.NativeEndian.Uint16(page[8:]) != boltBranch || binary.NativeEndian.Uint64(page) != uint64(at>>10) {
			continue
		}
		branches++
		data := bytes.Clone(good)
		for n := range int(binary.NativeEndian.Uint16(page[10:])) {
			binary.NativeEndian.PutUint64(data[at+pageHeader+n*element+8:], uint64(at>>10))
		}
		if members, err := membersIn(bytes.NewReader(data), int64(len(data))); !errors.Is(err, errDamaged) {
			t.Errorf("page %d: %d members, %v", at>>10, len(members), err)
		}
	}
	if branches == 0 {
		t.Fatal("the database has no branch")
	}
}

// A damaged page that claims to be huge costs no more memory than there is budget.
func TestReadBudget(t *testing.T) {
	good := smallPages(t, stored(300)...)
	size := int64(8 << 30)
	b, err := openBolt(bytes.NewReader(good), size)
	if err != nil {
		t.Fatal(err)
	}
	b.pages = uint64(size / b.pageSize)
	data := bytes.Clone(good)
	binary.NativeEndian.PutUint32(data[int64(b.root)*b.pageSize+12:], 1<<22)
	b.ReaderAt = bytes.NewReader(data)
	if _, _, err := b.bucket("members", nil); !errors.Is(err, errDamaged) {
		t.Errorf("got %v", err)
	}
}
