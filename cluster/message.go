package cluster

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// longestLine bounds the part of a message that shows one log line, in bytes.
const longestLine = 400

// failingLine picks the line that tells most about an end: the last that a component marked as fatal or as its error
// (klog's F and E, etcd's "level":"fatal", cobra's Error:, Go's panic: and flag errors), or else the last of all.
func failingLine(lines []string) string {
	fatal := fatalLine()
	for i, line := range slices.Backward(lines) {
		line = strings.TrimSpace(line)
		if !fatal.MatchString(line) {
			continue
		}
		if strings.HasPrefix(line, "panic: ") { // etcd has told more just before
			if told := failingLine(lines[max(0, i-2):i]); strings.Contains(told, `"level":"panic"`) {
				return told
			}
		}
		return line
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
	} else if header, message, found := strings.Cut(line, "] "); found && klogHeader(header) {
		line = message
	}
	if len(line) > longestLine {
		line = line[:longestLine] + "..."
	}
	return line
}

// klogHeader recognizes "E1124 02:40:44.123456   1 run.go:72", to which "]" belongs.
func klogHeader(text string) bool {
	if len(text) < 6 || !strings.ContainsRune("IWEF", rune(text[0])) {
		return false
	}
	return text[5] == ' ' && strings.Trim(text[1:5], "0123456789") == ""
}

// fatalLine is compiled per use: a diagnosis happens about once a second.
func fatalLine() *regexp.Regexp {
	return regexp.MustCompile(`^[FE]\d{4} |"level":"(fatal|panic)"|^(Error|panic|fatal error|flag provided but not defined): |^invalid (boolean )?value ".*" for (flag )?-`)
}

// longestSteady bounds what steady returns, in bytes.
const longestSteady = 160

// steady is a message without what differs between two equal events: the decoration of its line, and each word that holds a digit
// (times, process ids, addresses, names that were made up).
func steady(line string) string {
	words := strings.FieldsFunc(brief(line), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	words = slices.DeleteFunc(words, func(word string) bool { return strings.ContainsAny(word, "0123456789") })
	text := strings.Join(words, " ")
	return text[:min(len(text), longestSteady)]
}

// Messages are the different messages in the lines of a log, without times and numbers: who says the same again has nothing new.
func Messages(lines []string) []string {
	var list []string
	for _, line := range lines {
		if m := steady(line); m != "" && !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

// unreachable says whether a message is about a peer that does not answer.
func unreachable(message string) bool {
	message = strings.ToLower(message)
	for _, sign := range []string{
		"connection refused", "deadline exceeded", "i/o timeout", "no route to host", "tls handshake timeout",
		"unexpected eof", "connection reset", "failed to wait for apiserver", "timed out waiting",
		// A slow API server costs the controller manager and the scheduler their lease, and that ends them.
		"leaderelection lost", "leaderelection stopped", "lost lease",
	} {
		if strings.Contains(message, sign) {
			return true
		}
	}
	return false
}
