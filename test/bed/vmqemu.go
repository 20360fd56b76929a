package bed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// qemu describes a virtual machine to qemu.
type qemu struct {
	accel   string   // tcg or kvm
	kernel  string   // file of the host
	initrd  string   // file of the host, or empty
	command []string // the kernel's command line
	console string   // file of the host that gets what the first serial port says
	disk    string   // root disk, raw; what the VM writes to it is thrown away
	socket  string   // of an NBD server that is the root disk, instead of disk
	payload string   // second disk, raw, read only
	agent   bool     // a line to the agent, which qemu inherits as file descriptor 3
	mib     int      // memory
}

const qemuProgram = "qemu-system-x86_64"

// args is qemu's command line. Two processors and cpu "max" are what a control plane wants and what emulation can do. The
// network hardware is there, with an address and a default route, but leads nowhere: restrict=on.
func (q qemu) args() []string {
	accel := q.accel
	if accel == "tcg" {
		accel = "tcg,thread=multi"
	}
	args := []string{
		"-name", "kubewright", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none",
		"-accel", accel, "-cpu", "max", "-smp", "2", "-m", fmt.Sprint(q.mib),
		"-kernel", q.kernel, "-append", strings.Join(q.command, " "),
		"-serial", "file:" + q.console,
	}
	if q.initrd != "" {
		args = append(args, "-initrd", q.initrd)
	}
	if q.disk != "" {
		args = append(args, "-drive", "file="+q.disk+",format=raw,if=virtio,snapshot=on,cache=unsafe")
	}
	if q.socket != "" {
		// Writeback: the guest sees a disk with a write cache, and its flushes reach the server. With unsafe they would not;
		// with writethrough every write would be flushed, and what lacks an fsync would go unnoticed.
		args = append(args, "-drive", "file=nbd:unix:"+q.socket+",format=raw,if=virtio,cache=writeback")
	}
	if q.payload != "" {
		args = append(args, "-drive", "file="+q.payload+",format=raw,if=virtio,readonly=on")
	}
	if q.agent {
		args = append(args, "-device", "virtio-rng-pci",
			"-netdev", "user,id=net,restrict=on,ipv6=off", "-device", "virtio-net-pci,netdev=net,romfile=",
			"-device", "virtio-serial-pci", "-chardev", "socket,id=agent,fd=3", "-device", "virtserialport,chardev=agent,name=bed")
	}
	return args
}

// qemuProcess is a qemu that runs.
type qemuProcess struct {
	line net.Conn      // to the agent, or nil
	done chan struct{} // closed when qemu has ended
	err  error         // why; read it when done is closed
	kill context.CancelFunc
}

// start runs qemu with its temporary files in a folder. It ends with ctx, and with this process, however that dies.
func (q qemu) start(ctx context.Context, tmp string) (*qemuProcess, error) {
	p := &qemuProcess{done: make(chan struct{})}
	ctx, p.kill = context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, qemuProgram, q.args()...)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	// Not in our group: an interrupt from the terminal is for us, and we end it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if q.agent {
		ours, theirs, err := socketPair()
		if err != nil {
			return nil, err
		}
		defer theirs.Close()
		p.line, cmd.ExtraFiles = ours, []*os.File{theirs}
	}
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the signal at our death comes when the thread that started qemu ends
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			if text := strings.TrimSpace(said.String()); text != "" {
				p.err = errors.Join(p.err, errors.New(text))
			}
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		p.stop()
		return nil, fmt.Errorf("cannot start qemu: %w", err)
	}
	return p, nil
}

// stop ends qemu now, if it has not ended.
func (p *qemuProcess) stop() {
	p.kill()
	<-p.done
	if p.line != nil {
		p.line.Close()
	}
}

// socketPair is a line with two ends, one to hand to a child.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a line to the VM: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "vm"), os.NewFile(uintptr(fds[1]), "agent")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("cannot make a line to the VM: %w", err)
	}
	return conn, theirs, nil
}

// acceleration is kvm where a kernel boots with it, else tcg. A /dev/kvm that can be opened proves nothing: in a VM without
// good support for VMs in it, a kernel starts and hangs. So one is booted without a disk, which has to end in a panic.
func acceleration(ctx context.Context, kernel, tmp string) string {
	if f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0); err != nil {
		return "tcg"
	} else {
		f.Close()
	}
	if bootsToPanic(ctx, "kvm", kernel, tmp, 20*time.Second) {
		return "kvm"
	}
	return "tcg"
}

// bootsToPanic says whether a kernel without a root disk gets as far as missing it within the limit.
func bootsToPanic(ctx context.Context, accel, kernel, tmp string, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	console := filepath.Join(tmp, "probe.log")
	defer os.Remove(console)
	p, err := qemu{accel: accel, kernel: kernel, command: []string{"console=ttyS0", "panic=-1"}, console: console, mib: 512}.start(ctx, tmp)
	if err != nil {
		return false
	}
	defer p.stop()
	<-p.done
	said, _ := os.ReadFile(console)
	return ctx.Err() == nil && p.err == nil && strings.Contains(string(said), "Unable to mount root fs")
}
