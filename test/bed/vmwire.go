package bed

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// wireMessage is one line of JSON between the host and the agent in a VM. The host sends ID and Args to start a command and
// ID and Kill to end it. The agent answers with output under the same ID, and last with Code. Hello, without an ID, is the
// first line of an agent that has just started.
type wireMessage struct {
	ID     int      `json:"id,omitempty"`
	Args   []string `json:"args,omitempty"`
	Kill   bool     `json:"kill,omitempty"`
	Stdout []byte   `json:"stdout,omitempty"`
	Stderr []byte   `json:"stderr,omitempty"`
	Code   *int     `json:"code,omitempty"`  // exit code; -1 if the command did not run or was killed
	Error  string   `json:"error,omitempty"` // why Code is -1
	Hello  bool     `json:"hello,omitempty"`
}

// wire writes messages from several goroutines, one line each.
type wire struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *wire) send(m wireMessage) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.w.Write(append(data, '\n'))
	return err
}

// readWire calls got for every message until r ends. A line that is no message is passed over: the first line after a
// restart of either side may be the rest of one.
func readWire(r io.Reader, got func(wireMessage)) error {
	lines := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		var m wireMessage
		if json.Unmarshal(line, &m) == nil {
			got(m)
		}
	}
}

// agentClient is the host's end of the line to the agent in a VM.
type agentClient struct {
	wire  wire
	ready chan struct{} // closed by the first hello

	mu      sync.Mutex // guards what follows
	greeted bool
	last    int
	running map[int]*remoteCommand
	gone    error // set when the line has ended
}

// remoteCommand is a command that has not ended yet.
type remoteCommand struct {
	end chan wireMessage // one message, with Code or Error

	mu             sync.Mutex // guards what follows
	stdout, stderr io.Writer
	left           bool // its caller has gone, and with it the writers
}

func (r *remoteCommand) write(m wireMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.left {
		r.stdout.Write(m.Stdout) //nolint:errcheck // a log that cannot be written does not end the command
		r.stderr.Write(m.Stderr) //nolint:errcheck // as above
	}
}

func (r *remoteCommand) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = true
}

func newAgentClient(line io.ReadWriter) *agentClient {
	c := &agentClient{wire: wire{w: line}, ready: make(chan struct{}), running: map[int]*remoteCommand{}}
	go func() {
		err := readWire(line, c.got)
		c.endAll(fmt.Errorf("the line to the VM has ended: %w", err), true)
	}()
	return c
}

func (c *agentClient) got(m wireMessage) {
	if m.Hello {
		c.endAll(errors.New("the agent in the VM has started again"), false)
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.greeted {
			c.greeted = true
			close(c.ready)
		}
		return
	}
	c.mu.Lock()
	cmd := c.running[m.ID]
	if m.Code != nil {
		delete(c.running, m.ID)
	}
	c.mu.Unlock()
	switch {
	case cmd == nil: // its caller has gone
	case m.Code != nil:
		cmd.end <- m
	default:
		cmd.write(m)
	}
}

// endAll ends every running command with an error: nobody will answer any more. For good means: nor a later one.
func (c *agentClient) endAll(err error, forGood bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if forGood {
		c.gone = err
	}
	for id, cmd := range c.running {
		delete(c.running, id)
		cmd.end <- wireMessage{Code: new(-1), Error: err.Error()}
	}
}

// Run runs a command in the VM and copies its output while it runs. A command that ended with a code other than 0 is not
// an error; one that could not run, or that ctx ended, is.
func (c *agentClient) Run(ctx context.Context, stdout, stderr io.Writer, args ...string) (code int, err error) {
	cmd := &remoteCommand{stdout: stdout, stderr: stderr, end: make(chan wireMessage, 1)}
	defer cmd.leave()
	c.mu.Lock()
	if c.gone != nil {
		c.mu.Unlock()
		return -1, c.gone
	}
	c.last++
	id := c.last
	c.running[id] = cmd
	c.mu.Unlock()
	if err := c.wire.send(wireMessage{ID: id, Args: args}); err != nil {
		return -1, fmt.Errorf("cannot run %s in the VM: %w", args[0], err)
	}
	select {
	case m := <-cmd.end:
		if m.Error != "" {
			return *m.Code, fmt.Errorf("cannot run %s in the VM: %s", args[0], m.Error)
		}
		return *m.Code, nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.running, id)
		c.mu.Unlock()
		c.wire.send(wireMessage{ID: id, Kill: true}) //nolint:errcheck // the VM may be gone, and with it the command
		return -1, fmt.Errorf("cannot finish %s in the VM: %w", args[0], context.Cause(ctx))
	}
}
