package cmd

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// disturbance is what happens to a request; answer is what would without it.
type disturbance func(w http.ResponseWriter, r *http.Request, answer http.HandlerFunc)

// says answers with an error of the API.
func says(code int, reason, message string) disturbance {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", "application/json")
		if code == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":%q,"code":%d}`, reason, message, code)
	}
}

// dropped closes the connection before anything is done.
func dropped(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) }

// lost does what is asked, and closes the connection in place of the answer.
func lost(_ http.ResponseWriter, r *http.Request, answer http.HandlerFunc) {
	answer(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// torn does what is asked, and closes the connection in the middle of the answer.
func torn(w http.ResponseWriter, r *http.Request, answer http.HandlerFunc) {
	whole := httptest.NewRecorder()
	answer(whole, r)
	for key, values := range whole.Header() {
		w.Header()[key] = values
	}
	body := whole.Body.Bytes()
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(whole.Code)
	_, _ = w.Write(body[:len(body)/2])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// passing are disturbances that another try gets over.
func passing() map[string]disturbance {
	return map[string]disturbance{
		"dropped": dropped, "lost": lost, "torn": torn,
		"conflict":    says(http.StatusConflict, "Conflict", "the object has been modified"),
		"busy":        says(http.StatusTooManyRequests, "TooManyRequests", "try again later"),
		"broken":      says(http.StatusInternalServerError, "InternalError", "etcdserver: leader changed"),
		"unavailable": says(http.StatusServiceUnavailable, "ServiceUnavailable", "etcdserver: no leader"),
	}
}

// TestRequestsFail disturbs requests that a command makes, each in a run of its own: the command gets over it, and leaves what it leaves
// undisturbed, nothing twice.
func TestRequestsFail(t *testing.T) {
	for name, prepare := range scenes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := prepare(t)
			all := s.disturbed(t, 0, nil)
			want := s.shape()
			stride, shift := sample(len(all))
			names := []string{"lost", "torn", "busy", "dropped", "broken", "unavailable", "conflict"}
			for n, at := shift, 1; at <= len(all); n, at = n+1, at+stride {
				kind := names[n%len(names)]
				t.Run(fmt.Sprint(at, " ", kind), func(t *testing.T) {
					t.Parallel()
					s := prepare(t)
					s.disturbed(t, at, passing()[kind])
					s.heals(t, []change{{kind, fmt.Sprint("request ", at)}}, want)
				})
			}
		})
	}
}

// disturbed runs the command with one request disturbed, but for watches, and returns the requests.
func (s *scene) disturbed(t *testing.T, at int, by disturbance) (all []string) {
	t.Helper()
	var mu sync.Mutex
	s.cluster.disturb = func(r *http.Request) disturbance {
		if r.URL.Query().Has("watch") {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if all = append(all, r.Method+" "+r.URL.Path); len(all) == at {
			return by
		}
		return nil
	}
	code, stdout, stderr := s.run(s.args...)
	mu.Lock()
	defer mu.Unlock()
	s.cluster.disturb = nil
	if code != 0 || len(all) < at {
		t.Fatalf("exit code %d after %d requests, the last %v\n%s%s", code, len(all), last(all, 3), stdout, stderr)
	}
	s.rest()
	s.settled(t)
	return all
}

func last(list []string, n int) string { return strings.Join(list[max(0, len(list)-n):], ", ") }
