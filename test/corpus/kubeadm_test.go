// Package corpus gives many configurations to real kubeadm and to kubewright, right ones and wrong ones, and compares what both say
// and make of them. It needs kubeadm's program, of the release whose configuration kubewright reads: that of the cache which the
// machines of test/bed are made of, or $KUBEWRIGHT_KUBEADM. Without it the tests are skipped. $KUBEWRIGHT_CORPUS=all takes all
// documents instead of a sample.
package corpus

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubewright/kubewright/config"
)

// nobody answers at this address: version labels are looked up there, and nowhere.
const nobody = "http://127.0.0.1:1"

func TestMain(m *testing.M) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		os.Setenv(name, nobody)
	}
	os.Exit(m.Run())
}

// kubeadm is the real program.
type kubeadm struct {
	file  string
	slots chan struct{}
}

func findKubeadm(t *testing.T) *kubeadm {
	t.Helper()
	files := []string{os.Getenv("KUBEWRIGHT_KUBEADM")}
	if files[0] == "" {
		cache := os.Getenv("KUBEWRIGHT_CACHE")
		if cache == "" {
			cache = "/var/cache/kubewright"
		}
		files, _ = filepath.Glob(filepath.Join(cache, "tools-*/usr/bin/kubeadm"))
	}
	for _, file := range files {
		out, err := exec.Command(file, "version", "-o", "short").Output()
		if err == nil && strings.TrimSpace(string(out)) == config.DefaultKubernetesVersion {
			return &kubeadm{forAll(t, file), make(chan struct{}, 2*runtime.NumCPU())}
		}
	}
	t.Skipf("no kubeadm %s: build the cache (make up), or set KUBEWRIGHT_KUBEADM", config.DefaultKubernetesVersion)
	return nil
}

// forAll is the program, or a copy of it where not everybody may run it at its place.
func forAll(t *testing.T, file string) string {
	t.Helper()
	for path := file; path != "/" && path != "."; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode()&0o001 != 0 || os.Getuid() != 0 {
			continue
		}
		data, err := os.ReadFile(file)
		place := filepath.Join(openDir(t), "kubeadm")
		if err == nil {
			err = os.WriteFile(place, data, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		return place
	}
	return file
}

// openDir is a directory that kubeadm can read and write, whoever it is.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kubewright-corpus-*")
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// said is what came of one command.
type said struct {
	ok          bool
	text, error string
}

// run runs kubeadm, with few others at the same time, as somebody who can change nothing on this machine, and with a short
// environment.
func (k *kubeadm) run(t *testing.T, env []string, args ...string) said {
	t.Helper()
	k.slots <- struct{}{}
	defer func() { <-k.slots }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, err bytes.Buffer
	c := exec.CommandContext(ctx, k.file, args...)
	c.Env, c.Stdout, c.Stderr = env, &out, &err
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	failed := c.Run()
	if failed != nil && !errors.As(failed, new(*exec.ExitError)) {
		t.Fatal(failed)
	}
	_, complaint, _ := strings.Cut(err.String(), "error: ")
	complaint, _, _ = strings.Cut(complaint, "\nTo see the stack trace")
	if complaint == "" {
		complaint = err.String()
	}
	return said{failed == nil, out.String(), complaint}
}
