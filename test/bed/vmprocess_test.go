package bed

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeQemu puts a script in qemu's place.
func fakeQemu(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, qemuProgram), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestQemuSaysWhyItEnded(t *testing.T) {
	fakeQemu(t, "echo 'cannot set up guest memory' >&2; exit 1")
	p, err := qemu{accel: "tcg", mib: 1}.start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	await(t, p.done)
	if p.err == nil || !strings.Contains(p.err.Error(), "cannot set up guest memory") {
		t.Errorf("err = %v, want what qemu said", p.err)
	}
}

func TestQemuThatIsNotThere(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := (qemu{accel: "tcg", agent: true}).start(t.Context(), t.TempDir()); err == nil {
		t.Error("start without a program = nil")
	}
}

// The line is file descriptor 3 of qemu.
func TestQemuHasTheLine(t *testing.T) {
	fakeQemu(t, "echo '{\"hello\":true}' >&3; exec sleep 1000")
	p, err := qemu{accel: "tcg", agent: true}.start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	await(t, newAgentClient(p.line).ready)
	p.stop()
	if p.err == nil {
		t.Error("a qemu that was ended says nothing of it")
	}
}

func TestQemuEndsWithTheContext(t *testing.T) {
	fakeQemu(t, "exec sleep 1000")
	ctx, cancel := context.WithCancel(t.Context())
	p, err := qemu{accel: "tcg"}.start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	await(t, p.done)
	p.stop()
}

func TestKVMIsTakenOnlyWhereAKernelBoots(t *testing.T) {
	console := `for a; do case $a in file:*) out=${a#file:};; esac; done; `
	for name, test := range map[string]struct {
		script string
		want   bool
	}{
		"boots":  {console + `echo 'Kernel panic - not syncing: VFS: Unable to mount root fs' > "$out"`, true},
		"hangs":  {console + `echo 'Booting from ROM..' > "$out"; exec sleep 1000`, false},
		"silent": {"exit 0", false},
		"fails":  {console + `echo 'Unable to mount root fs' > "$out"; exit 1`, false},
	} {
		t.Run(name, func(t *testing.T) {
			fakeQemu(t, test.script)
			tmp := t.TempDir()
			limit := 10 * time.Second
			if name == "hangs" {
				limit = 300 * time.Millisecond
			}
			if got := bootsToPanic(t.Context(), "kvm", "vmlinuz", tmp, limit); got != test.want {
				t.Errorf("bootsToPanic = %v, want %v", got, test.want)
			}
			if left, _ := os.ReadDir(tmp); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestPayloadDisk(t *testing.T) {
	for _, program := range []string{"mke2fs", "debugfs"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs e2fsprogs, which `bed vm` installs")
		}
	}
	dir := t.TempDir()
	agent := filepath.Join(dir, "self")
	if err := os.WriteFile(agent, []byte("agent"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := payload{agent: agent, programs: map[string]string{"kubewright": agent}, files: map[string]string{"/root/init.yaml": "kind: X\n"}}
	disk, err := p.write(dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/bed": "agent", "/root/usr/bin/kubewright": "agent", "/root/root/init.yaml": "kind: X\n"} {
		out, err := exec.Command("debugfs", "-R", "cat "+path, disk).Output()
		if err != nil || string(out) != want {
			t.Errorf("%s on the disk: %q, %v; want %q", path, out, err, want)
		}
	}
}

func TestWatchEndsWithItsParent(t *testing.T) {
	parent, end := context.WithCancelCause(t.Context())
	ctx, cancel := watch(parent, "it", time.Hour, time.Millisecond, func(context.Context) string { return "" })
	defer cancel()
	reason := errors.New("qemu has ended")
	end(reason)
	await(t, ctx.Done())
	if cause := context.Cause(ctx); !errors.Is(cause, reason) {
		t.Errorf("cause = %v, want the parent's", cause)
	}
}

func TestWaitReadySaysOnceWhatItWaitsFor(t *testing.T) {
	answers := [][]string{{"Pod/a: Pending"}, {"Pod/a: Pending"}, {"Pod/b: Pending"}, nil}
	var log bytes.Buffer
	err := waitReady(t.Context(), &log, time.Millisecond, func(context.Context) ([]string, error) {
		now := answers[0]
		answers = answers[1:]
		return now, nil
	})
	if diff := cmp.Diff("bed: waiting for a\nbed: waiting for b\n", log.String()); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestWaitReadyEndsWithTheReason(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	reason, refused := errors.New("nothing has moved"), errors.New("connection refused")
	cancel(reason)
	err := waitReady(ctx, &bytes.Buffer{}, time.Hour, func(context.Context) ([]string, error) { return nil, refused })
	if !errors.Is(err, reason) || !errors.Is(err, refused) {
		t.Errorf("err = %v, want both reasons", err)
	}
}
