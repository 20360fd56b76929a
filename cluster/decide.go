package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubewright/kubewright/host"
)

// decide looks for a cause that no waiting heals, and ends the verdict with it. It says whether there is one.
func (s *scene) decide(component string, v *Verdict) bool {
	attempts := s.attempts(component, s.Changed(component))
	if len(attempts) == 0 || !attempts[0].Running && attempts[0].FinishedAt == 0 {
		return s.decidePod(component, v)
	}
	if attempts[0].Running && s.decideLife(attempts[0], v) {
		return true
	}
	// The newest that has ended: what could have been mended since is not among the causes.
	i := slices.IndexFunc(attempts, func(c host.Container) bool { return c.FinishedAt != 0 })
	if i < 0 || !notBefore(attempts[i].FinishedAt, s.history.began) {
		return false
	}
	return s.decideEnd(attempts[i], v)
}

// decideEnd is about a container that has ended.
func (s *scene) decideEnd(c host.Container, v *Verdict) bool {
	lines, err := s.Runtime.Logs(s.ctx, c.ID, readLines)
	line := failingLine(lines)
	if err != nil || c.StartedAt == 0 || line == "" {
		line = c.Message
	}
	how := fmt.Sprintf("%s ended with %s", c.Name, exit(c))
	if c.Reason == "OOMKilled" {
		v.end(how+": it needs more memory than it may have",
			"raise or remove its memory limit in the patch that it comes from, or give the machine more memory", lastLine(lines))
		return true
	}
	if holder, port := s.holder(c.Name, line); holder != "" {
		v.end(fmt.Sprintf("%s: port %s is taken by %s", how, port, holder),
			"end that process, or let one of the two use another port", line)
		return true
	}
	if byOther(c) { // then its last words are not about its end
		return false
	}
	found := causes().find(c.Name, atEnd, line, lines, s.external())
	if found == nil {
		return false
	}
	v.end(how+": "+found.says, found.hint, found.evidence(line, lines)...)
	return true
}

// decideLife is about a container that runs.
func (s *scene) decideLife(c host.Container, v *Verdict) bool {
	lines, _ := s.Runtime.Logs(s.ctx, c.ID, readLines) // a log that is not there yet has no cause in it
	all := causes()
	for _, line := range slices.Backward(lines) {
		if found := all.find(c.Name, inLife, line, lines, s.external()); found != nil && s.settled(c, line, lines) {
			v.end(fmt.Sprintf("%s runs, but %s", c.Name, found.says), found.hint, found.evidence(line, lines)...)
			return true
		}
	}
	if c.Name == apiServer && s.Untrusted != nil {
		v.end("kube-apiserver runs, but its certificate is not to be trusted", "look at the certificate in "+argsOf(apiServer)+
			" (tls-cert-file), which must be of the cluster's CA, for this address, and valid now", s.Untrusted.Error())
		return true
	}
	return false
}

// settled says that what a component that runs says of its peer is about the peer of now: that of before its manifest changed may
// have been there for a moment, and not be gone from the log. Where two could be meant, what was
// logged when the peer was first seen may be about either.
func (s *scene) settled(c host.Container, line string, log []string) bool {
	other := dependency(c.Name)
	if other == "" || s.external() {
		return true
	}
	peers := s.attempts(other, s.Changed(other))
	if len(peers) == 0 || !peers[0].Running {
		return false
	}
	overlaps := func(earlier host.Container) bool {
		return earlier.ID != peers[0].ID && (earlier.FinishedAt == 0 || earlier.FinishedAt >= c.StartedAt)
	}
	if !slices.ContainsFunc(s.attempts(other, time.Time{}), overlaps) {
		return true
	}
	pair := c.ID + " " + peers[0].ID
	if _, known := s.history.before[pair]; !known {
		s.history.before[pair] = log
	}
	return !slices.Contains(s.history.before[pair], line)
}

// external says that etcd does not run here.
func (s *scene) external() bool { return !slices.Contains(s.components, localEtcd) }

// holder names who else has the port that a component can't listen on.
func (s *scene) holder(component, line string) (name, port string) {
	match := regexp.MustCompile(`:(\d+): bind: address already in use`).FindStringSubmatch(line)
	if match == nil || s.Foreign == nil {
		return "", ""
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		return "", ""
	}
	return s.Foreign(component, n), match[1]
}

// end makes the verdict final. The evidence is lines as they were logged.
func (v *Verdict) end(summary, hint string, evidence ...string) {
	v.Fatal, v.Summary, v.Hint, v.Log = true, summary, hint, nil
	for _, line := range evidence {
		if line = brief(strings.TrimSpace(line)); line != "" {
			v.Log = append(v.Log, line)
		}
	}
}

// exit is a container's exit code, and the reason where it says more.
func exit(c host.Container) string {
	c.Message = ""
	return ended(c)
}
