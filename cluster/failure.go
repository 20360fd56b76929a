package cluster

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kubewright/kubewright/host"
)

// longestLine bounds the part of a message that shows one log line, in bytes.
const longestLine = 400

// failingLine picks the line that tells most about an end: the last that a component marked as fatal or as its error
// (klog's F and E, etcd's "level":"fatal", cobra's Error:, Go's panic: and flag errors), or else the last of all.
func failingLine(lines []string) string {
	fatal := fatalLine()
	for _, line := range slices.Backward(lines) {
		if line = strings.TrimSpace(line); fatal.MatchString(line) {
			return line
		}
	}
	return lastLine(lines)
}

// lastLine returns the last line that is not empty.
func lastLine(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}

// brief takes the decoration from a log line: klog's header, or all of etcd's JSON but the message and the error.
func brief(line string) string {
	var record struct {
		Message string `json:"msg"`
		Error   string `json:"error"`
	}
	if json.Unmarshal([]byte(line), &record) == nil && record.Message != "" {
		line = record.Message + colon(record.Error)
	} else if header, message, found := strings.Cut(line, "] "); found && klogHeader().MatchString(header) {
		line = message
	}
	if len(line) > longestLine {
		line = line[:longestLine] + "..."
	}
	return line
}

// klogHeader is "E1124 02:40:44.123456   1 run.go:72", to which "]" belongs.
func klogHeader() *regexp.Regexp { return regexp.MustCompile(`^[IWEF]\d{4} \S+ +\d+ \S+$`) }

// fatalLine is compiled per use: a diagnosis happens about once a second.
func fatalLine() *regexp.Regexp {
	return regexp.MustCompile(`^[FE]\d{4} |"level":"(fatal|panic)"|^(Error|panic|fatal error|flag provided but not defined): `)
}

// steady strips what differs between two equal events: all that is or holds a number (times, process ids, ports, lines).
func steady(line string) string {
	words := strings.Fields(line)
	for i, word := range words {
		if strings.ContainsAny(word, "0123456789") {
			words[i] = strings.Map(func(r rune) rune {
				if r >= '0' && r <= '9' {
					return -1
				}
				return r
			}, word)
		}
	}
	return strings.Join(words, " ")
}

// unreachable says whether a message is about a peer that does not answer.
func unreachable(message string) bool {
	message = strings.ToLower(message)
	for _, sign := range []string{
		"connection refused", "deadline exceeded", "i/o timeout", "no route to host", "tls handshake timeout",
		"unexpected eof", "connection reset", "failed to wait for apiserver", "leaderelection lost", "leaderelection stopped", "timed out waiting",
	} {
		if strings.Contains(message, sign) {
			return true
		}
	}
	return false
}

// newestFirst sorts by start; the attempt number starts again at 0 when the kubelet makes the pod anew.
func newestFirst(attempts []host.Container) []host.Container {
	slices.SortStableFunc(attempts, func(a, b host.Container) int {
		switch {
		case a.Running != b.Running:
			if a.Running {
				return -1
			}
			return 1
		case a.StartedAt != b.StartedAt && a.StartedAt != 0 && b.StartedAt != 0:
			if a.StartedAt > b.StartedAt {
				return -1
			}
			return 1
		}
		return int(b.Attempt) - int(a.Attempt)
	})
	return attempts
}

// ended says how a container ended.
func ended(c host.Container) string {
	text := fmt.Sprintf("exit code %d", c.ExitCode)
	if c.Reason != "" && c.Reason != "Error" && c.Reason != "Completed" {
		text += " (" + c.Reason + ")"
	}
	if c.Message != "" {
		text += ": " + strings.Join(strings.Fields(c.Message), " ")
	}
	return text
}

func clock(nanoseconds int64) string {
	return time.Unix(0, nanoseconds).UTC().Format("15:04:05 UTC")
}

func count(n uint32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func times(attempt uint32) string {
	if attempt == 0 {
		return ""
	}
	return fmt.Sprintf(" (it exited %s before)", count(attempt))
}

func colon(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}
