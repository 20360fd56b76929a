package bed

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// machines is a network of pretended machines: each takes connections, refuses them, or is silent.
type machines struct {
	mu     sync.Mutex
	all    []string // addresses that the balancer knows of
	silent map[string]bool
}

func (m *machines) list() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.all...)
}

func (m *machines) add(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, address)
}

func (m *machines) silence(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silent[address] = true
}

func (m *machines) dial(ctx context.Context, network, address string) (net.Conn, error) {
	m.mu.Lock()
	silent := m.silent[address]
	m.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// server answers each connection with its name and then with what it gets. It returns its address.
func server(t *testing.T, name string) string {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.WriteString(conn, name) //nolint:errcheck // seen by the client
				io.Copy(conn, conn)        //nolint:errcheck // seen by the client
			}()
		}
	}()
	return l.Addr().String()
}

// balanced runs a balancer over the machines and returns its address, and what it has logged so far.
func balanced(t *testing.T, m *machines) (address string, logged func() string) {
	t.Helper()
	var buf bytes.Buffer
	log := &lockedWriter{w: &buf}
	b := newBalancer(m.list, log)
	b.dial = m.dial
	l := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String(), func() string {
		log.mu.Lock()
		defer log.mu.Unlock()
		return buf.String()
	}
}

// connection is a client's, with a limit for all that it does.
func connection(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second)) //nolint:errcheck // a connection that is open
	return conn.(*net.TCPConn)
}

// whoAnswers returns the name of the server behind a new connection; "" if it was hung up.
func whoAnswers(t *testing.T, address string) string {
	t.Helper()
	name := make([]byte, 1)
	if _, err := io.ReadFull(connection(t, address), name); errors.Is(err, io.EOF) {
		return ""
	} else if err != nil {
		t.Fatal(err)
	}
	return string(name)
}

func TestBalancerTakesOnlyWhatAnswers(t *testing.T) {
	m := &machines{silent: map[string]bool{}}
	address, _ := balanced(t, m)
	if who := whoAnswers(t, address); who != "" {
		t.Errorf("without a backend %q answers; want nobody", who)
	}
	closed := listen(t)
	closed.Close()
	dead := server(t, "d")
	m.silence(dead)
	m.add(closed.Addr().String())
	m.add(dead)
	m.add(server(t, "a"))
	for range 3 {
		if who := whoAnswers(t, address); who != "a" {
			t.Errorf("%q answers; want a, which is the only one that takes connections", who)
		}
	}
	m.add(server(t, "b")) // a control plane that joins
	seen := map[string]int{}
	for range 40 {
		seen[whoAnswers(t, address)]++
		time.Sleep(50 * time.Millisecond)
	}
	if seen["b"] < 5 || seen["a"] < 5 || seen["a"]+seen["b"] != 40 {
		t.Errorf("after b has come, these answer: %v; want about half of each", seen)
	}
}

// What a client has said before it ends its side is answered.
func TestBalancerHalfClosed(t *testing.T) {
	m := &machines{silent: map[string]bool{}}
	m.add(server(t, "a"))
	address, _ := balanced(t, m)
	conn := connection(t, address)
	text := strings.Repeat("0123456789", 100_000)
	go func() {
		io.WriteString(conn, text) //nolint:errcheck // seen below
		conn.CloseWrite()          //nolint:errcheck // seen below
	}()
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != "a"+text {
		t.Errorf("%d bytes came back, error %v; want %d", len(got), err, 1+len(text))
	}
}

// The connections of a machine that goes silent are cut; others stay.
func TestBalancerCutsTheDead(t *testing.T) {
	m := &machines{silent: map[string]bool{}}
	a := server(t, "a")
	m.add(a)
	address, logged := balanced(t, m)
	doomed := connection(t, address)
	name := make([]byte, 1)
	if _, err := io.ReadFull(doomed, name); err != nil || string(name) != "a" {
		t.Fatalf("%q, %v; want a", name, err)
	}
	m.add(server(t, "b"))
	for whoAnswers(t, address) != "b" {
		time.Sleep(50 * time.Millisecond)
	}
	m.silence(a)
	start := time.Now()
	stays := connection(t, address)
	if _, err := io.ReadFull(stays, name); err != nil || string(name) != "b" {
		t.Fatalf("%q, %v; want b", name, err)
	}
	if _, err := doomed.Read(name); err == nil {
		t.Error("a silent machine has spoken")
	} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("the connection to a silent machine is still open after %s", time.Since(start))
	}
	if took := time.Since(start); took < time.Second || took > 20*time.Second {
		t.Errorf("cut after %s; want after three looks that failed", took)
	}
	for range 5 {
		if who := whoAnswers(t, address); who != "b" {
			t.Errorf("%q answers; want b", who)
		}
	}
	if _, err := io.WriteString(stays, "x"); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(stays, name); err != nil || string(name) != "x" {
		t.Errorf("the connection to b: %q, %v; want x, as it was sent", name, err)
	}
	if log := logged(); strings.Count(log, "takes connections") != 2 || strings.Count(log, "is gone") != 1 || strings.Count(log, "\n") != 3 {
		t.Errorf("want a line for each backend that came or went:\n%s", log)
	}
}
