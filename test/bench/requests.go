package bench

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubewright/kubewright/test/bed"
)

// Request is one that an API server answered.
type Request struct {
	Verb, URI string
	// User is who asked: "system:anonymous" without credentials, "system:bootstrap:" and the ID with a token.
	User string
	Code int
}

// String is "get /api/v1/nodes/w1 by system:bootstrap:abcdef: 404".
func (r Request) String() string {
	return fmt.Sprintf("%s %s by %s: %d", r.Verb, r.URI, r.User, r.Code)
}

// RequestsOf picks the requests of one program out of audit logs, by its user agent, in the order of the logs. What its kubelet
// asks has another one.
func RequestsOf(program string, events []bed.AuditEvent) []Request {
	var list []Request
	for _, e := range events {
		name, _, _ := strings.Cut(e.UserAgent, "/")
		if name == program {
			list = append(list, Request{Verb: e.Verb, URI: e.RequestURI, User: e.User.Username, Code: e.ResponseStatus.Code})
		}
	}
	return list
}

// Kind is how many requests were the same but for the node that they are about.
type Kind struct {
	Count     int
	Verb, URI string
	Code      int
}

// Kinds counts requests by what they ask, the most frequent first. Names that begin with the prefix are shown as "*".
func Kinds(requests []Request, prefix string) []Kind {
	counts := map[Kind]int{}
	for _, r := range requests {
		counts[Kind{Verb: r.Verb, URI: anonymous(r.URI, prefix), Code: r.Code}]++
	}
	var list []Kind
	for kind, n := range counts {
		kind.Count = n
		list = append(list, kind)
	}
	slices.SortFunc(list, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.URI, b.URI), cmp.Compare(a.Verb, b.Verb), cmp.Compare(a.Code, b.Code))
	})
	return list
}

// anonymous replaces the names in a URI, which are made of letters, digits and dashes.
func anonymous(uri, prefix string) string {
	var b strings.Builder
	for prefix != "" {
		before, after, found := strings.Cut(uri, prefix)
		if !found {
			break
		}
		b.WriteString(before + "*")
		uri = strings.TrimLeftFunc(after, func(r rune) bool { return r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' })
	}
	return b.String() + uri
}
