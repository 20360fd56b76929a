package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kubelet looks at a directory of manifests as the kubelet's file source does (pkg/kubelet/config/file.go and file_linux.go of
// Kubernetes): it reads what inotify names, and again and again all that is there, but for names with a leading dot.
type kubelet struct {
	dir     string
	names   []string // of the manifests
	inotify *os.File
	stop    atomic.Bool
	wait    sync.WaitGroup

	events, lists, reads atomic.Int64
	mu                   sync.Mutex
	faults               []string // what it should never have seen
}

// startKubelet looks until end is called.
func startKubelet(t *testing.T, dir string, names ...string) *kubelet {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	must(t, err)
	// What fsnotify asks for, which the kubelet uses.
	_, err = unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_MODIFY|unix.IN_ATTRIB|unix.IN_DELETE|unix.IN_MOVED_FROM|
		unix.IN_DELETE_SELF|unix.IN_MOVE_SELF)
	must(t, err)
	k := &kubelet{dir: dir, names: names, inotify: os.NewFile(uintptr(fd), "inotify")}
	k.wait.Go(k.watch)
	blocked := make(chan error)
	k.wait.Go(func() {
		blocked <- blockSignals()
		for !k.stop.Load() {
			k.list()
		}
	})
	must(t, <-blocked)
	return k
}

// blockSignals keeps signals from the calling goroutine's thread, which ends with it. One that comes in the middle of
// getdents (the Go runtime sends some) parts the list in two, and where the list goes on with a name that was renamed in
// between, tmpfs says that it has ended (offset_dir_lookup in the kernel's fs/libfs.c). That is no doing of who writes.
func blockSignals() error {
	runtime.LockOSThread()
	all := unix.Sigset_t{}
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	return unix.PthreadSigmask(unix.SIG_BLOCK, &all, nil)
}

func (k *kubelet) end() []string {
	k.stop.Store(true)
	k.inotify.Close()
	k.wait.Wait()
	return k.faults
}

func (k *kubelet) fault(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.faults) < 10 {
		k.faults = append(k.faults, fmt.Sprintf(format, args...))
	}
}

func (k *kubelet) faulty() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.faults) > 0
}

func (k *kubelet) watch() {
	buf := make([]byte, 64<<10)
	for {
		n, err := k.inotify.Read(buf)
		if err != nil {
			return // closed
		}
		for at := 0; at+unix.SizeofInotifyEvent <= n; {
			event := (*unix.InotifyEvent)(unsafe.Pointer(&buf[at]))
			name, _, _ := bytes.Cut(buf[at+unix.SizeofInotifyEvent:at+unix.SizeofInotifyEvent+int(event.Len)], []byte{0})
			at += unix.SizeofInotifyEvent + int(event.Len)
			k.event(event.Mask, string(name))
		}
	}
}

func (k *kubelet) event(mask uint32, name string) {
	switch {
	case mask&unix.IN_Q_OVERFLOW != 0, name == "", strings.HasPrefix(name, "."):
	case mask&(unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_MODIFY|unix.IN_ATTRIB) != 0:
		k.events.Add(1)
		k.read(name)
	case mask&(unix.IN_DELETE|unix.IN_MOVED_FROM) != 0:
		k.fault("%s was taken away", name)
	}
}

func (k *kubelet) list() {
	paths, err := filepath.Glob(filepath.Join(k.dir, "[^.]*"))
	if err != nil {
		k.fault("%v", err)
	}
	for _, name := range k.names {
		if !slices.Contains(paths, filepath.Join(k.dir, name)) {
			k.fault("%s is absent", name)
		}
	}
	for _, path := range paths {
		k.read(filepath.Base(path))
	}
	k.lists.Add(1)
}

// read judges what is in a manifest.
func (k *kubelet) read(name string) {
	k.reads.Add(1)
	if !slices.Contains(k.names, name) {
		k.fault("%s was to be read", name)
		return
	}
	data, err := os.ReadFile(filepath.Join(k.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		k.fault("%s is absent", name)
		return
	}
	body, sum, ok := bytes.Cut(data, []byte("# "))
	if want := sha256.Sum256(body); err != nil || !ok || string(sum) != hex.EncodeToString(want[:]) {
		k.fault("%s has %d bytes that are no manifest: %v", name, len(data), err)
	}
}

// manifest is a text that shows whether all of it is there, of another length each time.
func manifest(n int) []byte {
	body := []byte(strings.Repeat(fmt.Sprintf("kind: Pod %d\n", n), 1+n*7919%400))
	sum := sha256.Sum256(body)
	return append(body, "# "+hex.EncodeToString(sum[:])...)
}

// Over thousands of changes a kubelet sees each manifest whole, never absent, and no temporary file.
func TestKubeletSeesWholeManifests(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	const dir = "/etc/kubernetes/manifests"
	rewrites := 300
	if memory, err := os.MkdirTemp("/dev/shm", "kubewright-test"); err == nil { // there a sync costs nothing, on a disk some 20 ms
		t.Cleanup(func() { os.RemoveAll(memory) })
		h.Root, rewrites = memory, 5000
	}
	must(t, h.MkdirAll(dir, 0o755))
	must(t, h.MkdirAll("/elsewhere", 0o755))
	write := func(path string, n int) error {
		return h.WriteFile(path, FileSpec{Data: manifest(n), Mode: 0o600, UID: os.Getuid(), GID: os.Getgid()})
	}
	names := []string{"etcd.yaml", "kube-apiserver.yaml", "kube-scheduler.yaml", "link.yaml"}
	for i, name := range names {
		must(t, write("/elsewhere/"+name, i))
		must(t, write(dir+"/"+name, i))
	}
	k := startKubelet(t, filepath.Join(h.Root, dir), names...)
	for n := range rewrites {
		name := names[n%3]
		must(t, write(dir+"/"+name, n))
		switch n % 50 {
		case 10:
			must(t, h.SetAccess(dir+"/"+name, 0o644, os.Getuid(), os.Getgid()))
		case 20:
			must(t, h.Symlink("../../../elsewhere/"+name, dir+"/link.yaml"))
		case 30:
			must(t, h.AppendFile(dir+"/.notes", []byte("x\n"), 0o600))
		case 40:
			must(t, write(dir+"/link.yaml", n))
			must(t, h.Remove(dir+"/.notes"))
		}
	}
	for _, fault := range k.end() {
		t.Error(fault)
	}
	if k.events.Load() < int64(rewrites)/10 || k.lists.Load() < 10 {
		t.Errorf("it looked only at %d events and %d lists", k.events.Load(), k.lists.Load())
	}
	t.Logf("%d events, %d lists, %d reads", k.events.Load(), k.lists.Load(), k.reads.Load())
}

// The kubelet of these tests sees what careless ways of writing show to it.
func TestKubeletSeesCarelessWriters(t *testing.T) {
	for name, write := range map[string]func(path string, data []byte) error{
		"in place": func(path string, data []byte) error { return os.WriteFile(path, data, 0o600) },
		"removed before": func(path string, data []byte) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, data, 0o600))
		},
		"temporary file without a dot": func(path string, data []byte) error {
			return errors.Join(os.WriteFile(path+".tmp", data, 0o600), os.Rename(path+".tmp", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "etcd.yaml")
			must(t, os.WriteFile(path, manifest(0), 0o600))
			k := startKubelet(t, dir, "etcd.yaml")
			n := 1
			for ; n < 100_000 && !k.faulty(); n++ {
				must(t, write(path, manifest(n)))
			}
			if len(k.end()) == 0 {
				t.Errorf("%d rewrites were seen whole", n)
			}
		})
	}
}
