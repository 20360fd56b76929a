package cluster

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// JournalLine is a line of the kubelet's journal.
type JournalLine struct {
	At   time.Time
	Text string
}

// decidePod is about a component without a container. Only the kubelet knows why: without an API server it tells nobody else.
func (s *scene) decidePod(component string, v *Verdict) bool {
	all := causes()
	for _, line := range s.Journal {
		if line.At.Before(s.Changed(component)) || !about(component, line.Text) {
			continue
		}
		if found := all.find(component, ofPod, line.Text, nil, false); found != nil {
			v.end(component+" does not start: "+found.says, found.hint, said(line.Text))
			return true
		}
	}
	return false
}

// about says whether the kubelet speaks of a static pod: by its name or by its manifest.
func about(component, text string) bool {
	return strings.Contains(text, `pod="kube-system/`+component+"-") || strings.Contains(text, "/"+component+`.yaml"`) ||
		strings.Contains(text, `pod "`+component+"-")
}

// said is the part of a line of klog that tells what is wrong: its err, without the quotes that wrap each other.
func said(line string) string {
	match := regexp.MustCompile(` err=("(?:[^"\\]|\\.)*")`).FindStringSubmatch(line)
	if match == nil {
		if _, after, found := strings.Cut(line, " Error: "); found {
			return after
		}
		return line
	}
	text, err := strconv.Unquote(match[1])
	if err != nil {
		return line
	}
	// failed to "StartContainer" for "etcd" with ErrImagePull: "failed to pull ..."
	if reason, rest, found := strings.Cut(text, `: "`); found {
		if inner, err := strconv.Unquote(`"` + rest); err == nil {
			_, reason, _ = strings.Cut(reason, " with ")
			return reason + ": " + inner
		}
	}
	return text
}

// lastWords is the last line with which a kubelet has ended itself. It logs many an error that is none of its end.
func lastWords(lines []string) string {
	final := regexp.MustCompile(`^F\d{4} |"command failed"|"Failed to listen and serve"|^(panic|fatal error|Error): `)
	for _, line := range slices.Backward(lines) {
		if final.MatchString(line) {
			return line
		}
	}
	return ""
}

// KubeletEnd is the verdict on a kubelet whose process has ended, by what it has logged since it was started; nil when that does
// not tell a cause that no waiting heals. how says how it ended, foreign is as in Sight.
func KubeletEnd(lines []string, how string, foreign func(component string, port int) string) *Verdict {
	s := &scene{Sight: Sight{Foreign: foreign}}
	line, v := lastWords(lines), &Verdict{}
	if line == "" {
		return nil
	}
	if holder, port := s.holder(kubelet, line); holder != "" {
		v.end("the kubelet "+how+": port "+port+" is taken by "+holder, "end that process, or let one of the two use another port", line)
		return v
	}
	found := causes().find(kubelet, atEnd, line, lines, false)
	if found == nil {
		return nil
	}
	v.end("the kubelet "+how+": "+found.says, found.hint, said(line))
	return v
}
