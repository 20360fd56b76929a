package bed

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// startAgent connects a client to an agent in this process.
func startAgent(t *testing.T) (c *agentClient, hangUp func()) {
	t.Helper()
	host, guest := net.Pipe()
	done := make(chan error, 1)
	c = newAgentClient(host)
	go func() { done <- Agent(guest) }()
	hangUp = func() { host.Close() }
	t.Cleanup(func() {
		hangUp()
		if err := <-done; err != nil {
			t.Errorf("Agent = %v, want nil when the host has hung up", err)
		}
	})
	await(t, c.ready)
	return c, hangUp
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatal("no hello within ten seconds")
	}
}

func TestAgentRuns(t *testing.T) {
	c, _ := startAgent(t)
	for _, test := range []struct {
		args           []string
		stdout, stderr string
		code           int
		err            string
	}{
		{args: []string{"echo", "a b"}, stdout: "a b\n"},
		{args: []string{"sh", "-c", "echo out; echo err >&2; exit 7"}, stdout: "out\n", stderr: "err\n", code: 7},
		{args: []string{"printf", `\0\377\n\n`}, stdout: "\x00\xff\n\n"},
		{args: []string{"sh", "-c", "head -c 300000 /dev/zero"}, stdout: strings.Repeat("\x00", 300000)},
		{args: []string{"sh", "-c", "kill -9 $$"}, code: -1, err: "killed"},
		{args: []string{"/no/such/program"}, code: -1, err: "no such file"},
		{args: []string{"pwd"}, stdout: "/\n"},
	} {
		var stdout, stderr bytes.Buffer
		code, err := c.Run(t.Context(), &stdout, &stderr, test.args...)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%q: error %v, want %q", test.args, err, test.err)
		}
		if code != test.code || stdout.String() != test.stdout || stderr.String() != test.stderr {
			t.Errorf("%q: code %d, stdout %.40q, stderr %.40q; want %d, %.40q, %.40q", test.args, code, stdout.String(), stderr.String(),
				test.code, test.stdout, test.stderr)
		}
	}
}

func TestAgentRunsAtTheSameTime(t *testing.T) {
	c, _ := startAgent(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if code, err := c.Run(t.Context(), io.Discard, io.Discard, "mkfifo", fifo); code != 0 || err != nil {
		t.Fatal(code, err)
	}
	var got bytes.Buffer
	done := make(chan error, 1)
	go func() {
		_, err := c.Run(t.Context(), &got, io.Discard, "cat", fifo) // ends only when the other command has written
		done <- err
	}()
	if code, err := c.Run(t.Context(), io.Discard, io.Discard, "sh", "-c", "echo hi > "+fifo); code != 0 || err != nil {
		t.Fatal(code, err)
	}
	if err := <-done; err != nil || got.String() != "hi\n" {
		t.Errorf("the waiting command: %q, %v", got.String(), err)
	}
}

func TestAgentKillsWithTheContext(t *testing.T) {
	c, _ := startAgent(t)
	mark := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("nothing moved")
	go func() {
		for i := 0; i < 500; i++ {
			if data, _ := os.ReadFile(mark); len(data) > 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel(reason)
	}()
	if _, err := c.Run(ctx, io.Discard, io.Discard, "sh", "-c", "sleep 1000 & echo $! > "+mark+"; wait"); !errors.Is(err, reason) {
		t.Fatalf("Run = %v, want the cause", err)
	}
	data, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	stat := filepath.Join("/proc", strings.TrimSpace(string(data)), "stat")
	for i := 0; ; i++ {
		now, err := os.ReadFile(stat)
		if err != nil || strings.Contains(string(now), ") Z ") {
			return
		}
		if i > 500 {
			t.Fatal("what the command started still runs")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestClientWhenTheLineEnds(t *testing.T) {
	c, hangUp := startAgent(t)
	done := make(chan error, 1)
	go func() { _, err := c.Run(context.Background(), io.Discard, io.Discard, "sleep", "1"); done <- err }()
	time.Sleep(50 * time.Millisecond)
	hangUp()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "line to the VM has ended") {
		t.Errorf("Run during the end = %v", err)
	}
	if _, err := c.Run(t.Context(), io.Discard, io.Discard, "true"); err == nil {
		t.Error("Run after the end = nil")
	}
}

// An agent that crashed is started again by systemd, in the middle of whatever was on the line.
func TestClientWhenTheAgentStartsAgain(t *testing.T) {
	host, guest := net.Pipe()
	defer host.Close()
	c := newAgentClient(host)
	asked := make(chan wireMessage, 1)
	go readWire(guest, func(m wireMessage) { asked <- m }) //nolint:errcheck // ends with the test
	say := func(text string) {
		if _, err := guest.Write([]byte(text)); err != nil {
			t.Error(err)
		}
	}
	say("noise of a boot loader\n{\"hello\":true}\n")
	await(t, c.ready)
	done := make(chan error, 1)
	go func() { _, err := c.Run(t.Context(), io.Discard, io.Discard, "sleep", "1000"); done <- err }()
	want := wireMessage{ID: 1, Args: []string{"sleep", "1000"}}
	if diff := cmp.Diff(want, <-asked); diff != "" {
		t.Error(diff)
	}
	say("{\"id\":1,\"stdout\":\"YWJ\n{\"hello\":true}\n")
	if err := <-done; err == nil || !strings.Contains(err.Error(), "started again") {
		t.Errorf("Run = %v", err)
	}
}
