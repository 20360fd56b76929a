package etcd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// storeMembers writes a database as etcd does it, and returns its path.
func storeMembers(t *testing.T, members ...Member) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		if _, err := tx.CreateBucket([]byte("key")); err != nil {
			return err
		}
		bucket, err := tx.CreateBucket([]byte("members"))
		for _, m := range members {
			value := fmt.Sprintf(`{"id":%d,"peerURLs":[%q],"name":%q,"clientURLs":["%s"],"isLearner":%t}`,
				m.ID, m.PeerURLs[0], m.Name, Endpoints([]Member{{ClientURLs: m.ClientURLs}})[0], m.Learner)
			err = errors.Join(err, bucket.Put([]byte(m.hexID()), []byte(value)))
		}
		return err
	})
	// bbolt goes back one transaction when the last one is damaged.
	err = errors.Join(err, db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("key")).Put([]byte("k"), []byte("v")) }))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// stored are many members, so that the database has pages of all kinds.
func stored(n int) []Member {
	var members []Member
	for id := range n {
		members = append(members, Member{
			ID: uint64(id)<<32 + 7, Name: fmt.Sprintf("m%d", id), Learner: id == 2,
			PeerURLs: []string{fmt.Sprintf("http://p%d:2380", id)}, ClientURLs: []string{fmt.Sprintf("http://p%d:2379", id)},
		})
	}
	return members
}

func TestReadMembers(t *testing.T) {
	want := stored(300)
	path := storeMembers(t, want...)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	members, err := ReadMembers(path)
	if diff := cmp.Diff(want, members); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("reading has changed the database, or %v", err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatalf("reading has left a lock: %v", err)
	}
	defer db.Close()
	if _, err := ReadMembers(path); !errors.Is(err, ErrRunning) {
		t.Errorf("open in a process: %v", err)
	}
}

func TestReadNoMembers(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadMembers(dir + "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no database: %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
	if members, err := ReadMembers(storeMembers(t)); len(members) != 0 || err != nil {
		t.Errorf("no members yet: %v, %v", members, err)
	}
	if err := unix.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, dir + "/pipe"} {
		if _, err := ReadMembers(path); err == nil {
			t.Errorf("read %s", path)
		}
	}
}

// TestReadDamaged: whatever was cut off, zeroed or overwritten, the answer is right or an error, and nothing stays locked.
func TestReadDamaged(t *testing.T) {
	want := stored(300)
	good, err := os.ReadFile(storeMembers(t, want...))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	noise := func(n int) []byte {
		data := make([]byte, n)
		_, _ = random.Read(data)
		return data
	}
	damaged := map[string][]byte{"zeroed": make([]byte, len(good)), "random": noise(len(good)), "empty": nil, "text": []byte("no database")}
	const page = 4096
	for at := 0; at < len(good); at += page {
		damaged[fmt.Sprint("cut to ", at)] = good[:at]
		damaged[fmt.Sprint("cut behind ", at)] = good[:at+100]
		for what, junk := range map[string][]byte{"zero": make([]byte, page), "noise": noise(page), "other page": good[:page]} {
			data := bytes.Clone(good)
			copy(data[at:], junk)
			damaged[fmt.Sprint(what, " at ", at)] = data
		}
		data := bytes.Clone(good)
		copy(data[at+16:], noise(page-16)) // behind a header that is right
		damaged[fmt.Sprint("noise behind ", at)] = data
	}
	failed := 0
	for name, data := range damaged {
		path := filepath.Join(t.TempDir(), "db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		members, err := ReadMembers(path)
		if err != nil {
			failed++
		} else if !cmp.Equal(want, members) {
			t.Errorf("%s: %d members", name, len(members))
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = file.Close()
	}
	if failed < len(damaged)/3 {
		t.Errorf("only %d of %d were noticed", failed, len(damaged))
	}
}
