package bed

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestCacheBuildsOnce(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	var builds atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			path, err := c.Get("thing", "k1", func(tmp string) error {
				builds.Add(1)
				return os.WriteFile(tmp, []byte("made"), 0o644)
			})
			if data, rerr := os.ReadFile(path); err != nil || rerr != nil || string(data) != "made" {
				t.Errorf("Get = %s, %v; file: %q, %v", path, err, data, rerr)
			}
		})
	}
	all.Wait()
	if n := builds.Load(); n != 1 {
		t.Errorf("built %d times, want once", n)
	}
}

func TestCacheKeepsNothingUnfinished(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	broken := errors.New("no room")
	_, err := c.Get("thing", "k1", func(tmp string) error {
		if err := os.MkdirAll(filepath.Join(tmp, "half"), 0o755); err != nil {
			t.Fatal(err)
		}
		return broken
	})
	if !errors.Is(err, broken) || c.Has("thing", "k1") {
		t.Fatalf("Get = %v, Has = %v; want the cause and nothing kept", err, c.Has("thing", "k1"))
	}
	path, err := c.Get("thing", "k1", func(tmp string) error { return os.Mkdir(tmp, 0o755) })
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(path); len(left) > 0 {
		t.Errorf("the second build saw what the first left: %v", left)
	}
}

func TestComponentKeyFollowsItsSources(t *testing.T) {
	src := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := writeFile(filepath.Join(src, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"go.mod": "module m", "go.sum": "", "etcd/main.go": "1", "pause/main.go": "1"} {
		write(name, text)
	}
	keys := func() [2]string {
		t.Helper()
		var k [2]string
		for i, c := range []component{{name: "etcd", pkg: "./etcd"}, {name: "pause", pkg: "./pause"}} {
			var err error
			if k[i], err = c.key(src); err != nil {
				t.Fatal(err)
			}
		}
		return k
	}
	first := keys()
	write("etcd/main.go", "2")
	second := keys()
	if first[0] == second[0] || first[1] != second[1] {
		t.Errorf("after a change of etcd's main: %v, %v; want only etcd's key changed", first, second)
	}
	write("go.mod", "module m // newer")
	if third := keys(); third[0] == second[0] || third[1] == second[1] {
		t.Errorf("after a change of go.mod: %v, %v; want both keys changed", second, third)
	}
}

func TestCgroupOptions(t *testing.T) {
	for from, want := range map[string]string{
		"rw,relatime,cpu": "cpu",
		"rw,nosuid,nodev,noexec,relatime,cpu,cpuacct": "cpu,cpuacct",
		"rw,relatime,name=systemd":                    "none,name=systemd",
		"rw,nosuid,xattr,release_agent=/lib/systemd/systemd-cgroups-agent,name=systemd,relatime": "none,name=systemd",
	} {
		if got := cgroupOptions(from); got != want {
			t.Errorf("cgroupOptions(%q) = %q, want %q", from, got, want)
		}
	}
}
