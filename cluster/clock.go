package cluster

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dated reads the time off each answer of the API server.
type dated struct {
	next  http.RoundTripper
	ahead *atomic.Pointer[time.Duration]
}

func (c dated) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	if date, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
		ahead := date.Add(time.Second / 2).Sub(time.Now()) // the header has whole seconds
		c.ahead.Store(&ahead)
	}
	return resp, nil
}

// Skew returns how far the API server's clock is ahead of this machine's, by its last answer and to about a second; zero while it
// has not told. Behind a load balancer it is the clock of one of several.
func (c *Client) Skew() time.Duration {
	if ahead := c.ahead.Load(); ahead != nil {
		return *ahead
	}
	return 0
}
