package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/kubewright/kubewright/test/bed"
	"github.com/kubewright/kubewright/timeline"
)

// CoreDNS and Running name the moment that only a cluster with its addons has.
const (
	CoreDNS = "coredns"
	Running = "running"
)

// Moment is a line of what command watch prints.
type Moment struct {
	Component string `json:"component"`
	Name      string `json:"name"`
	UnixNano  int64  `json:"unixNano"`
}

// command is how a tool makes a control plane.
func command(tool string) []string {
	switch tool {
	case Ours:
		return []string{"kubewright", "init", "--config", initFile, "-o", "json"}
	case Account:
		return []string{"kubewright", "init", "--config", initFile, "-o", "json", "--timeline", ownTimeline}
	case Theirs: // it does not take our cgroups for fit
		return []string{"kubeadm", "init", "--config", initFile, "--ignore-preflight-errors=SystemVerification"}
	}
	return []string{"systemctl", "start", "kubelet"}
}

// ownTimeline is what kubewright itself writes of its run.
const ownTimeline = "/root/timeline.json"

// measure runs a tool and watches from outside of it when each part of the control plane is there.
func measure(ctx context.Context, m *bed.Machine, tool string) (run InitRun, err error) {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := m.CommandContext(watching, "bench-watch", initFile)
	var trouble bytes.Buffer
	watch.Stderr = &trouble
	seen, err := watch.StdoutPipe()
	if err != nil {
		return run, err
	}
	if err := watch.Start(); err != nil {
		return run, err
	}
	time.Sleep(500 * time.Millisecond) // until it watches, and the machine is at rest
	cmd := m.CommandContext(ctx, append([]string{"busybox", "time", "-f", "%U %S", "-o", usageFile}, command(tool)...)...)
	began := time.Now()
	rec := timeline.Record(title(tool), began)
	peak, err := phased(cmd, tool, rec)
	if err != nil {
		return run, err
	}
	ended := time.Now()
	run = InitRun{Tool: tool, Returned: ended.Sub(began).Seconds()}
	if tool != Floor {
		run.RSS = peak
		if run.CPU, err = readUsage(m); err != nil {
			return run, err
		}
	}
	limit := time.AfterFunc(patience, cancel)
	defer limit.Stop()
	if err := run.follow(seen, rec, began); err != nil {
		return run, fmt.Errorf("%w\n%s", err, &trouble)
	}
	cancel()
	_ = watch.Wait() // it was ended

	if tool == Floor { // it has ended when all is healthy
		ended = began.Add(time.Duration(run.Healthy * float64(time.Second)))
	}
	run.Timeline = rec.End(ended)
	if tool == Account {
		run.Own, err = own(m)
	}
	return run, err
}

// usageFile is where the program time writes how many seconds of a processor were used, by the program and by the kernel for it.
const usageFile = "/root/usage"

func readUsage(m *bed.Machine) (cpu float64, err error) {
	data, err := os.ReadFile(m.Path(usageFile))
	if err != nil {
		return 0, err
	}
	var user, system float64
	if _, err := fmt.Sscan(string(data), &user, &system); err != nil {
		return 0, fmt.Errorf("cannot read what was used from %q: %w", data, err)
	}
	return user + system, nil
}

func title(tool string) string {
	switch tool {
	case Floor:
		return "only the kubelet started"
	case Account:
		tool = Ours
	}
	return tool + " init"
}

// phased runs the command and adds its phases to the timeline, by when it says something of them. It returns the tool's peak memory in
// MiB.
func phased(cmd *exec.Cmd, tool string, rec *timeline.Recorder) (peak float64, err error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	watched := watchPeak(cmd.Process.Pid, command(tool)[0])
	phase, since := "", time.Now()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		now, line := time.Now(), lines.Text()
		said.WriteString(line + "\n")
		if tool == Ours || tool == Account {
			var e struct {
				Event, Phase string
				Seconds      float64
			}
			if json.Unmarshal([]byte(line), &e) == nil && e.Event == "phase" {
				rec.Span(e.Phase, e.Phase, now.Add(-time.Duration(e.Seconds*float64(time.Second))), now)
			}
		} else if next, ok := kubeadmPhase(line); ok && next != phase {
			if phase != "" {
				rec.Span(phase, phase, since, now)
			}
			phase, since = next, now
		}
	}
	err, peak = cmd.Wait(), watched()
	if phase != "" {
		rec.Span(phase, phase, since, time.Now())
	}
	if err != nil {
		return peak, fmt.Errorf("%w\n%s", err, &said)
	}
	return peak, nil
}

// kubeadmPhase reads the phase in a line such as "[certs] Generating ...".
func kubeadmPhase(line string) (string, bool) {
	name, ok := strings.CutPrefix(line, "[")
	if !ok {
		return "", false
	}
	name, _, ok = strings.Cut(name, "] ")
	return name, ok && !strings.ContainsAny(name, " \t:")
}

// follow reads the moments until all that the tool leads to have come.
func (r *InitRun) follow(seen io.Reader, rec *timeline.Recorder, began time.Time) error {
	missing := []string{"kubelet answers", "etcd ready", "kube-apiserver live", "kube-apiserver ready", "kube-controller-manager healthy",
		"kube-scheduler healthy"}
	later := []string{"node registered", "node ready", CoreDNS + " " + Running}
	if r.Tool == Floor {
		later = nil
	}
	for lines := bufio.NewScanner(seen); lines.Scan(); {
		var m Moment
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return err
		}
		at := time.Unix(0, m.UnixNano)
		after := at.Sub(began.Round(0)).Seconds()
		rec.Mark(m.Component, m.Name, at)
		what := func(s string) bool { return s == m.Component+" "+m.Name }
		if slices.ContainsFunc(missing, what) {
			missing, r.Healthy = slices.DeleteFunc(missing, what), max(r.Healthy, after)
		}
		if slices.ContainsFunc(later, what) {
			later, r.Ready = slices.DeleteFunc(later, what), max(r.Ready, after)
		}
		if len(missing) == 0 && len(later) == 0 {
			return nil
		}
	}
	return fmt.Errorf("these did not come within %s: %s", patience, strings.Join(append(missing, later...), ", "))
}

// own is how long kubewright worked until it waited for the first time, by its own account: the kubelet is started then, and all is
// written that can be before the API server serves. After that it waits for components, and for the answers of the API server.
func own(m *bed.Machine) (float64, error) {
	text, err := output(m.Command("cat", ownTimeline))
	if err != nil {
		return 0, err
	}
	var t timeline.Timeline
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return 0, err
	}
	for _, l := range t.Lanes {
		if l.Name == "wait-control-plane" && len(l.Spans) > 0 {
			return l.Spans[0].From, nil
		}
	}
	return 0, errors.New("the timeline does not say when it waited for the control plane")
}
