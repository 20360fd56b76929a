package preflight

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// listening is TCP_LISTEN of the kernel's include/net/tcp_states.h.
const listening = 0x0a

// listeners finds the processes that listen on a TCP port, by the inodes of their sockets; those of other users only for root.
// proc is the mount point of the proc file system. What can't be read is left out.
func listeners(proc string, port int) []Process {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return nil
	}
	v4, _ := fs.NetTCP()
	v6, _ := fs.NetTCP6()
	var sockets []string
	for _, line := range slices.Concat(v4, v6) {
		if line.St == listening && line.LocalPort == uint64(port) {
			sockets = append(sockets, fmt.Sprintf("socket:[%d]", line.Inode))
		}
	}
	if len(sockets) == 0 {
		return nil
	}
	procs, _ := fs.AllProcs()
	var found []Process
	for _, p := range procs {
		targets, err := p.FileDescriptorTargets()
		if err != nil { // it ended, or is not ours to look at
			continue
		}
		if slices.ContainsFunc(targets, func(target string) bool { return slices.Contains(sockets, target) }) {
			found = append(found, Process{PID: p.PID, Name: programName(p)})
		}
	}
	slices.SortFunc(found, func(a, b Process) int { return a.PID - b.PID })
	return found
}

// commLength is where the kernel cuts off its name for a process: TASK_COMM_LEN without the final zero.
const commLength = 15

// programName is the name of the file that was started. The kernel's own name for the process is that, also where the file is
// a script or runs emulated, but cut off; the command line tells the rest.
func programName(p procfs.Proc) string {
	name, err := p.Comm()
	if err != nil {
		return "a process"
	}
	if len(name) < commLength {
		return name
	}
	args, _ := p.CmdLine()
	for _, arg := range args[:min(len(args), 2)] {
		if base := filepath.Base(arg); strings.HasPrefix(base, name) {
			return base
		}
	}
	return name
}
