package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const lockRootVariable = "KUBEWRIGHT_TEST_LOCK_ROOT"

// TestMain lets this test binary be the other process: it takes the lock, says so, and keeps it until its stdin ends.
func TestMain(m *testing.M) {
	if root := os.Getenv(lockRootVariable); root != "" {
		h := &Host{Root: root, Now: func() time.Time { return time.Unix(0, 0) }}
		if _, err := h.Lock(context.Background(), "kubewright\ninit"); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestLockTwoProcesses(t *testing.T) {
	for _, dir := range []string{"/run", "/"} {
		h := newHost(t)
		must(t, h.MkdirAll(dir, 0o755))
		other := exec.Command(os.Args[0])
		other.Env = append(os.Environ(), lockRootVariable+"="+h.Root)
		stdin, err := other.StdinPipe()
		must(t, err)
		stdout, err := other.StdoutPipe()
		must(t, err)
		must(t, other.Start())
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		if line != "locked\n" {
			t.Fatalf("%s: the other process says %q", dir, line)
		}
		_, err = h.Lock(t.Context(), "kubewright reset")
		want := fmt.Sprintf("cannot lock this machine: kubewright init (pid %d) runs since 1970-01-01T00:00:00Z\nwait until it has ended, or end it with: kill %[1]d", other.Process.Pid)
		if dir == "/" {
			want = "cannot lock this machine: another kubewright holds the lock\nwait until it has ended"
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: error %v\nwant %s", dir, err, want)
		}
		must(t, other.Process.Kill()) // it crashes
		_ = other.Wait()
		stdin.Close()
		unlock, err := h.Lock(t.Context(), "kubewright reset")
		if err != nil {
			t.Fatalf("%s: after the crash: %v", dir, err)
		}
		if _, err := h.Lock(t.Context(), "again"); err == nil || dir != "/" && !strings.Contains(err.Error(), "kubewright reset") {
			t.Errorf("%s: locked twice: %v", dir, err)
		}
		unlock()
		unlock, err = h.Lock(t.Context(), "again")
		must(t, err)
		unlock()
	}
}

func TestLockContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newHost(t).Lock(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What a run that was killed has written is made durable before the next one counts on it, and only then.
func TestLockSettles(t *testing.T) {
	h := newHost(t)
	for _, dir := range []string{"/run", "/etc/kubernetes", "/var/lib"} {
		must(t, h.MkdirAll(dir, 0o755))
	}
	synced := 0
	h.synced = func(f *os.File) { synced++ }
	lock := func() {
		t.Helper()
		unlock, err := h.Lock(context.Background(), "init")
		must(t, err)
		unlock()
	}
	lock()
	lock()
	if synced != 0 {
		t.Errorf("%d syncs after runs that ended by themselves", synced)
	}
	must(t, os.WriteFile(h.Root+lockPath, []byte("12\nthen\nkubewright init\n"), 0o600))
	lock()
	if synced != 1 { // one file system
		t.Errorf("%d file systems were synced", synced)
	}
}

// TestUnlockWhileForking: a process that is being started has all our files open until it runs its own program.
func TestUnlockWhileForking(t *testing.T) {
	h := newHost(t)
	must(t, h.MkdirAll("/run", 0o755))
	unlock, err := h.Lock(t.Context(), "kubewright init")
	must(t, err)
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	copied := false
	for _, fd := range fds {
		n, err := strconv.Atoi(fd.Name())
		must(t, err)
		if path, _ := os.Readlink("/proc/self/fd/" + fd.Name()); path == h.Root+lockPath && !copied {
			same, err := syscall.Dup(n)
			must(t, err)
			defer syscall.Close(same) //nolint:errcheck // at the end
			copied = true
		}
	}
	if !copied {
		t.Fatal("the lock is not among the open files")
	}
	unlock()
	again, err := h.Lock(t.Context(), "kubewright init")
	if err != nil {
		t.Fatalf("after unlocking: %v", err)
	}
	again()
}
