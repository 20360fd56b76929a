package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// peakEvery is how often the peak is read. It only grows, so that the last time counts.
const peakEvery = 20 * time.Millisecond

// watchPeak follows the peak memory, in MiB, of the process of that name which pid has started, or pid's children, until stop. What wait4
// tells is the largest of a process and all that it has started, as the kubelet that is asked for its version.
func watchPeak(pid int, name string) (stop func() float64) {
	end, peak := make(chan struct{}), 0.0
	var running sync.WaitGroup
	running.Go(func() {
		for {
			if p := descendant(pid, name); p > 0 {
				peak = max(peak, peakOf(p))
			}
			select {
			case <-end:
				return
			case <-time.After(peakEvery):
			}
		}
	})
	return func() float64 { close(end); running.Wait(); return peak }
}

// descendant is the process of that name at or below pid; zero for none.
func descendant(pid int, name string) int {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return 0
	}
	if strings.TrimSpace(string(comm)) == name {
		return pid
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	for _, child := range strings.Fields(string(children)) {
		n, err := strconv.Atoi(child)
		if err != nil {
			continue
		}
		if p := descendant(n, name); p > 0 {
			return p
		}
	}
	return 0
}

// peakOf is a process's peak memory in MiB.
func peakOf(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kib / 1024
		}
	}
	return 0
}
