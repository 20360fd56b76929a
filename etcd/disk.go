package etcd

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

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
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe would wait for its other end
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, errors.New("it is no database: it is empty, or no regular file")
	}
	if err := lockShared(file); err != nil { // closing frees it
		return nil, err
	}
	info, err := file.Stat() // it may have grown until now
	if err != nil {
		return nil, err
	}
	return membersIn(file, info.Size())
}

// lockShared waits for a member that is just ending. etcd holds the lock as long as it runs.
func lockShared(file *os.File) error {
	for start := time.Now(); ; time.Sleep(lockTimeout / 20) {
		err := unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EWOULDBLOCK):
			return err
		case time.Since(start) > lockTimeout:
			return ErrRunning
		}
	}
}

// membersIn reads the members from a database of this size.
func membersIn(file io.ReaderAt, size int64) ([]Member, error) {
	b, err := openBolt(file, size)
	if err != nil {
		return nil, err
	}
	var members []Member
	found, empty, err := b.bucket("members", func(key, value []byte) error {
		m, err := memberOf(key, value)
		members = append(members, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !found && !empty { // etcd makes all buckets at once
		return nil, errors.New("it is damaged, or not etcd's: it has no members bucket")
	}
	return members, nil
}

func memberOf(key, value []byte) (Member, error) {
	var stored struct {
		ID         uint64   `json:"id"`
		PeerURLs   []string `json:"peerURLs"`
		Name       string   `json:"name"`
		ClientURLs []string `json:"clientURLs"`
		IsLearner  bool     `json:"isLearner"`
	}
	if err := json.Unmarshal(value, &stored); err != nil {
		return Member{}, damaged("member %q: %v", key, err)
	}
	m := Member{
		ID: stored.ID, Name: stored.Name, PeerURLs: stored.PeerURLs, ClientURLs: stored.ClientURLs, Learner: stored.IsLearner,
	}
	if m.hexID() != string(key) {
		return Member{}, damaged("member %q says that its ID is %s", key, m.hexID())
	}
	return m, nil
}
