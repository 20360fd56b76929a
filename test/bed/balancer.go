package bed

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	balancerPause = 500 * time.Millisecond // between two looks at all backends
	balancerDial  = 500 * time.Millisecond // the kernel of a machine that is up answers in less than one
	balancerGone  = 3                      // failed looks in a row after which a backend's connections are cut
)

// balancer forwards TCP connections to those of several addresses that take connections, in turn. It looks at them all the
// time, and so finds new ones. A backend that died without a word has its connections cut after two to three seconds, as a
// load balancer should: its clients would wait for an answer for much longer.
type balancer struct {
	backends func() []string // "host:port" of all that may take connections; asked before each look
	log      io.Writer       // a line for each backend that comes or goes
	dial     func(ctx context.Context, network, address string) (net.Conn, error)

	mu    sync.Mutex // guards all below
	known map[string]*backend
	turn  int
}

// backend is what the balancer knows of one address.
type backend struct {
	failed int               // looks in a row that failed; 0 says that it takes connections
	conns  map[net.Conn]bool // both ends of what is forwarded to it
}

func newBalancer(backends func() []string, log io.Writer) *balancer {
	return &balancer{backends: backends, log: log, dial: new(net.Dialer).DialContext, known: map[string]*backend{}}
}

// serve forwards until ctx ends. Then it closes the listener and returns; connections go on.
func (b *balancer) serve(ctx context.Context, l net.Listener) error {
	go b.watch(ctx)
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		client, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot accept connections at %s: %w", l.Addr(), err)
		}
		go b.forward(ctx, client)
	}
}

// watch looks at all backends, again and again.
func (b *balancer) watch(ctx context.Context) {
	for ctx.Err() == nil {
		var all sync.WaitGroup
		for _, address := range b.backends() {
			all.Go(func() {
				conn, err := b.connect(ctx, address)
				if err == nil {
					conn.Close()
				}
				b.note(address, err)
			})
		}
		all.Wait()
		select {
		case <-ctx.Done():
		case <-time.After(balancerPause):
		}
	}
}

func (b *balancer) connect(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, balancerDial)
	defer cancel()
	return b.dial(ctx, "tcp", address)
}

// backend returns what is known of an address; the caller holds the lock.
func (b *balancer) backend(address string) *backend {
	if b.known[address] == nil {
		b.known[address] = &backend{failed: balancerGone, conns: map[net.Conn]bool{}} // until it has taken one
	}
	return b.known[address]
}

// note keeps the result of a look.
func (b *balancer) note(address string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.backend(address)
	before := known.failed
	switch {
	case err == nil:
		known.failed = 0
	default:
		known.failed++
	}
	switch {
	case before >= balancerGone && known.failed == 0:
		fmt.Fprintf(b.log, "%s %s takes connections\n", time.Now().Format(time.DateTime), address)
	case known.failed == balancerGone:
		fmt.Fprintf(b.log, "%s %s is gone: %v\n", time.Now().Format(time.DateTime), address, err)
		for conn := range known.conns {
			conn.Close()
		}
	}
}

// order is the backends that took the last connection, beginning with another one each time, and then the others.
func (b *balancer) order() []string {
	all := b.backends()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
	var good, rest []string
	for i := range all {
		address := all[(i+b.turn)%len(all)]
		if b.backend(address).failed == 0 {
			good = append(good, address)
		} else {
			rest = append(rest, address)
		}
	}
	return append(good, rest...)
}

// forward connects a client to the first backend that takes it, for as long as both want. Without one it hangs up.
func (b *balancer) forward(ctx context.Context, client net.Conn) {
	defer client.Close()
	for _, address := range b.order() {
		server, err := b.connect(ctx, address)
		if err != nil {
			continue
		}
		defer server.Close()
		b.track(address, true, client, server)
		defer b.track(address, false, client, server)
		both := sync.WaitGroup{}
		both.Go(func() { pour(server, client) })
		both.Go(func() { pour(client, server) })
		both.Wait()
		return
	}
}

func (b *balancer) track(address string, on bool, conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.backend(address)
	for _, conn := range conns {
		if on {
			known.conns[conn] = true
		} else {
			delete(known.conns, conn)
		}
	}
}

// pour copies until the source ends and passes the end on; after an error nobody is left to listen, and both ends close.
func pour(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		half.CloseWrite() //nolint:errcheck // the other end may be gone
		return
	}
	to.Close()
	from.Close()
}
