package preflight

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/prometheus/procfs"

	"github.com/kubewright/kubewright/host"
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
	var sockets []string
	for _, s := range listeningOn(fs, port) {
		sockets = append(sockets, fmt.Sprintf("socket:[%d]", s.inode))
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

// socket is one that listens: its address, which is unspecified for all of the machine's, and its inode.
type socket struct {
	address netip.Addr
	inode   uint64
}

func listeningOn(fs procfs.FS, port int) []socket {
	v4, _ := fs.NetTCP()
	v6, _ := fs.NetTCP6()
	var found []socket
	for _, line := range slices.Concat(v4, v6) {
		if line.St == listening && line.LocalPort == uint64(port) {
			address, _ := netip.AddrFromSlice(line.LocalAddr)
			found = append(found, socket{address.Unmap(), line.Inode})
		}
	}
	return found
}

// occupied says, without listening, why a TCP address, "10.0.0.5:2379" or ":6443", can't be listened on: EADDRINUSE or
// EADDRNOTAVAIL. What can't be told is nil.
func occupied(proc, address string) error {
	name, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil //nolint:nilerr // the same as for what can't be told
	}
	port, err := strconv.Atoi(text)
	fs, fsErr := procfs.NewFS(proc)
	if err != nil || fsErr != nil {
		return nil //nolint:nilerr // the same
	}
	want, err := netip.ParseAddr(name)
	every := err != nil || want.IsUnspecified()
	for _, s := range listeningOn(fs, port) {
		if every || s.address.IsUnspecified() || s.address == want.Unmap() {
			return syscall.EADDRINUSE
		}
	}
	if every || want.IsLoopback() {
		return nil
	}
	if has, err := host.HasAddress(want); err == nil && !has {
		return syscall.EADDRNOTAVAIL
	}
	return nil
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
