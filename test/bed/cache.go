package bed

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Cache is the folder outside the tree that keeps what takes long to make. Every entry is a file or folder named
// <kind>-<hash of what it is made from>, so an entry is never out of date: it is the right one or it is not there.
type Cache struct{ Dir string }

// OpenCache returns the cache at $KUBEWRIGHT_CACHE, or at /var/cache/kubewright, and creates its folder.
func OpenCache() (Cache, error) {
	dir := os.Getenv("KUBEWRIGHT_CACHE")
	if dir == "" {
		dir = "/var/cache/kubewright"
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Cache{}, fmt.Errorf("cannot find the cache: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Cache{}, fmt.Errorf("cannot create the cache: %w", err)
	}
	return Cache{Dir: dir}, nil
}

// Path is where the entry of a kind and key is or would be.
func (c Cache) Path(kind, key string) string { return filepath.Join(c.Dir, kind+"-"+key) }

// Has says whether the entry is there, complete.
func (c Cache) Has(kind, key string) bool {
	_, err := os.Lstat(c.Path(kind, key))
	return err == nil
}

// Get returns the path of an entry. A missing one is made by build under a temporary name and renamed when it is
// complete; a second process that wants the same entry waits for the first.
func (c Cache) Get(kind, key string, build func(tmp string) error) (string, error) {
	path := c.Path(kind, key)
	if c.Has(kind, key) {
		return path, nil
	}
	unlock, err := lockFile(filepath.Join(c.Dir, "."+kind+"-"+key+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if c.Has(kind, key) {
		return path, nil
	}
	tmp := filepath.Join(c.Dir, ".tmp-"+kind+"-"+key)
	if err := os.RemoveAll(tmp); err != nil {
		return "", fmt.Errorf("cannot remove an unfinished %s: %w", kind, err)
	}
	if err := build(tmp); err != nil {
		os.RemoveAll(tmp) //nolint:errcheck // the next build removes it too
		return "", fmt.Errorf("cannot make %s: %w", kind, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", fmt.Errorf("cannot make %s: %w", kind, err)
	}
	return path, nil
}

// lockFile waits for an exclusive lock that ends with the process.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// hashOf is a short hash over strings.
func hashOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s\n", len(p), p)
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:12]
}

// hashTree is a hash over the names and bytes of files and folders below root.
func hashTree(root string, names ...string) (string, error) {
	var parts []string
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(root, name), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(p)
			rel, _ := filepath.Rel(root, p)
			parts = append(parts, rel, string(data))
			return err
		})
		if err != nil {
			return "", fmt.Errorf("cannot hash %s: %w", name, err)
		}
	}
	return hashOf(parts...), nil
}
