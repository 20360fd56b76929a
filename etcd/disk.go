package etcd

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

// ErrRunning is found by errors.Is when a database can't be read because a process has it open.
var ErrRunning = errors.New("a running process has it open")

// lockTimeout is how long ReadMembers waits for a process that has the database open.
const lockTimeout = time.Second

// ReadMembers lists the members by the data of one that does not run, in the order of their IDs. db is its database file
// <data directory>/member/snap/db, which is not changed. The list may be empty: the member ended before it knew any. etcd writes
// with a delay of up to 100 ms. errors.Is finds fs.ErrNotExist when there is no database, and ErrRunning when its member runs.
func ReadMembers(db string) ([]Member, error) {
	members, err := readMembers(db)
	if err != nil {
		return nil, fmt.Errorf("cannot read the members from etcd's data %s: %w", db, err)
	}
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return members, nil
}

func readMembers(path string) (members []Member, err error) {
	// bbolt would wait for a pipe, and write the first pages of an empty file.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, errors.New("it is no database: it is empty, or no regular file")
	}
	var file *os.File
	// Damaged pages make bbolt panic; and it maps the file into memory, where what was cut off is a fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			members, err = nil, fmt.Errorf("it is damaged: %v", cause)
			if file != nil {
				// bbolt can't be asked to close: it may hold locks of its own. The mapping stays, and would keep the one on the file.
				_ = unix.Flock(int(file.Fd()), unix.LOCK_UN)
				_ = file.Close()
			}
		}
	}()
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		ReadOnly: true,
		Timeout:  lockTimeout,
		OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrRunning
	}
	if err != nil {
		return nil, err
	}
	err = db.View(func(tx *bolt.Tx) error {
		if info, err := file.Stat(); err != nil || info.Size() < tx.Size() {
			return errors.Join(errors.New("it is damaged: its end is missing"), err)
		}
		return eachMember(tx, &members)
	})
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return members, db.Close()
}

func eachMember(tx *bolt.Tx, members *[]Member) error {
	bucket := tx.Bucket([]byte("members"))
	if bucket == nil {
		if first, _ := tx.Cursor().First(); first != nil { // etcd makes all buckets at once
			return errors.New("it is damaged, or not etcd's: it has no members bucket")
		}
		return nil
	}
	return bucket.ForEach(func(key, value []byte) error {
		var stored struct {
			ID         uint64   `json:"id"`
			PeerURLs   []string `json:"peerURLs"`
			Name       string   `json:"name"`
			ClientURLs []string `json:"clientURLs"`
			IsLearner  bool     `json:"isLearner"`
		}
		if err := json.Unmarshal(value, &stored); err != nil {
			return fmt.Errorf("it is damaged: member %q: %w", key, err)
		}
		m := Member{
			ID: stored.ID, Name: stored.Name, PeerURLs: stored.PeerURLs, ClientURLs: stored.ClientURLs, Learner: stored.IsLearner,
		}
		if m.hexID() != string(key) {
			return fmt.Errorf("it is damaged: member %q says that its ID is %s", key, m.hexID())
		}
		*members = append(*members, m)
		return nil
	})
}
