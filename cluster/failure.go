package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubewright/kubewright/host"
)

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
