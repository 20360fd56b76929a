package bed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Agent runs commands for the host, inside a VM, until the line ends. The line is the VM's end of a virtio serial port.
func Agent(line io.ReadWriter) error {
	a := &agent{wire: wire{w: line}, running: map[int]*os.Process{}}
	// What the host has not read of an agent before us ends with this empty line.
	if _, err := io.WriteString(line, "\n"); err != nil {
		return fmt.Errorf("cannot greet the host: %w", err)
	}
	if err := a.wire.send(wireMessage{Hello: true}); err != nil {
		return fmt.Errorf("cannot greet the host: %w", err)
	}
	err := readWire(line, a.got)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("cannot read what the host wants: %w", err)
}

type agent struct {
	wire    wire
	mu      sync.Mutex // guards running
	running map[int]*os.Process
}

func (a *agent) got(m wireMessage) {
	switch {
	case m.Kill:
		a.mu.Lock()
		defer a.mu.Unlock()
		if p := a.running[m.ID]; p != nil {
			syscall.Kill(-p.Pid, syscall.SIGKILL) //nolint:errcheck // it may have ended by itself
		}
	case len(m.Args) > 0:
		a.start(m.ID, m.Args)
	}
}

// start starts one command, in a process group of its own so that it can be ended with what it started. It has begun before
// the next message is read, which may be the wish to end it.
func (a *agent) start(id int, args []string) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second // a daemon that the command left behind may hold its output open
	cmd.Stdout = stream(func(p []byte) error { return a.wire.send(wireMessage{ID: id, Stdout: p}) })
	cmd.Stderr = stream(func(p []byte) error { return a.wire.send(wireMessage{ID: id, Stderr: p}) })
	if err := cmd.Start(); err != nil {
		a.wire.send(ended(id, err)) //nolint:errcheck // a host that does not read does not want to know
		return
	}
	a.mu.Lock()
	a.running[id] = cmd.Process
	a.mu.Unlock()
	go func() {
		err := cmd.Wait()
		a.mu.Lock()
		delete(a.running, id)
		a.mu.Unlock()
		a.wire.send(ended(id, err)) //nolint:errcheck // as above
	}()
}

// ended is the last message about a command.
func ended(id int, err error) wireMessage {
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Exited():
		code = exit.ExitCode()
	case errors.Is(err, exec.ErrWaitDelay): // it ended well; only its output stayed open
	case err != nil:
		return wireMessage{ID: id, Code: new(-1), Error: err.Error()}
	}
	return wireMessage{ID: id, Code: &code}
}

type stream func(p []byte) error

func (s stream) Write(p []byte) (int, error) { return len(p), s(p) }
