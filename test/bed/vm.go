package bed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// VM is what `make vm` does: a cluster on a real kernel of Debian's, with cgroup version 2, in a virtual machine that is
// gone afterwards. Only one runs at a time; a second one waits.
type VM struct {
	Tool   string // kubewright or kubeadm
	Config string // file with the configuration for the tool; empty for files/vm-init.yaml
	Out    io.Writer
	Log    io.Writer
}

const (
	vmLimit  = 45 * time.Minute // for all of it, once the parts are in the cache
	vmMemory = 6144             // MiB
)

// vmCommandLine is the kernel's. Emulated processors look to the kernel as if their clocks ran apart, and without these
// clocks every look at the time goes through a device that they share; Go looks at the time all the time.
var vmCommandLine = []string{"root=/dev/vda", "rw", "console=ttyS0", "panic=-1", "fsck.mode=skip", "systemd.show_status=1",
	"mitigations=off", "clocksource=tsc", "tsc=reliable", "no5lvl"}

// Run makes a disk, boots it, runs the tool's init, waits for the cluster and powers the VM off. Logs stay in the cache; the
// rest goes. It ends early, and ends qemu, with ctx.
func (v VM) Run(ctx context.Context, b *Builder) error {
	return v.prepared(ctx, b, "vm", func(m *virtual, parts vmParts) error { return m.run(ctx, v.Tool, parts) })
}

// vmParts is what a VM is made of.
type vmParts struct {
	kernel, disk string // a folder, and the root disk, which is the cache's
	payload      payload
}

// prepared makes the parts and calls run when no other VM does. The logs are in a folder of this name.
func (v VM) prepared(ctx context.Context, b *Builder, name string, run func(*virtual, vmParts) error) error {
	kit, err := b.Build()
	if err != nil {
		return err
	}
	if err := b.installOnHost(vmHostPackages); err != nil {
		return err
	}
	var parts vmParts
	if parts.kernel, err = b.kernel(); err != nil {
		return err
	}
	if parts.disk, err = b.vmDisk(kit, parts.kernel); err != nil {
		return err
	}
	if parts.payload, err = v.payload(b); err != nil {
		return err
	}
	unlock, err := waitForTurn(ctx, filepath.Join(b.Cache.Dir, ".vm.lock"), v.Log)
	if err != nil {
		return err
	}
	defer unlock()
	tmp, logs := filepath.Join(b.Cache.Dir, ".tmp-vm"), filepath.Join(b.Cache.Dir, "logs", name)
	defer os.RemoveAll(tmp)
	for _, dir := range []string{tmp, logs} { // the last VM's may be there, even its disk if we were killed
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
			return err
		}
	}
	m := &virtual{tmp: tmp, logs: logs, console: filepath.Join(logs, "console.log"), out: v.Out}
	log, err := os.Create(filepath.Join(logs, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	m.log = io.MultiWriter(v.Log, log)
	err = run(m, parts)
	fmt.Fprintln(v.Log, "bed: logs are in", logs)
	return err
}

// waitForTurn waits until no other process has a VM.
func waitForTurn(ctx context.Context, path string, log io.Writer) (done func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open lock: %w", err)
	}
	said := false
	for syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		if !said {
			fmt.Fprintln(log, "bed: another VM is running; waiting for its end")
			said = true
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
	return func() { f.Close() }, nil
}

// payload is what is new in this VM.
func (v VM) payload(b *Builder) (payload, error) {
	config := fileOf("vm-init.yaml")
	if v.Config != "" {
		data, err := os.ReadFile(v.Config)
		if err != nil {
			return payload{}, err
		}
		config = string(data)
	} else {
		config = fmt.Sprintf(config, vmIP, vmName, KubernetesVersion)
	}
	self, err := os.Executable()
	p := payload{agent: self, programs: map[string]string{}, files: map[string]string{initFile: config}}
	if err != nil {
		return p, err
	}
	if v.Tool == "kubeadm" {
		p.files["/usr/lib/systemd/system/kubelet.service"] = fileOf("kubelet.service")
		p.files["/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"] = fileOf("10-kubeadm.conf")
		return p, nil
	}
	p.programs["kubewright"], err = b.Kubewright()
	return p, err
}

// virtual is a VM that runs.
type virtual struct {
	tmp, logs string // folders of the host; tmp goes
	console   string // file that the first serial port writes to
	out, log  io.Writer

	process *qemuProcess
	agent   *agentClient
	said    atomic.Int64 // bytes that commands have written; a sign of progress
}

func (m *virtual) run(ctx context.Context, tool string, parts vmParts) (err error) {
	start := time.Now()
	second, err := parts.payload.write(m.tmp)
	if err != nil {
		return fmt.Errorf("cannot make the disk of the VM: %w", err)
	}
	m.say("the disk with %s took %s", tool, since(start))
	q := m.describe(ctx, parts, second)
	q.disk = parts.disk
	start = time.Now()
	alive, err := m.start(ctx, q)
	if err != nil {
		return err
	}
	defer m.process.stop()
	ctx, cancel := context.WithTimeoutCause(alive, vmLimit, fmt.Errorf("it took longer than %s", vmLimit))
	defer cancel()
	defer func() {
		if err != nil && alive.Err() == nil { // also when the limit has passed
			m.saveLogs(alive)
		}
	}()
	if err := m.boot(ctx); err != nil {
		return fmt.Errorf("cannot boot the VM: %w", err)
	}
	if err := m.install(ctx); err != nil {
		return err
	}
	m.say("the VM is up after %s (%s)", since(start), q.accel)
	if err := m.cluster(ctx, tool); err != nil {
		return err
	}
	return m.powerOff(ctx)
}

// describe is the VM with everything but its root disk.
func (m *virtual) describe(ctx context.Context, parts vmParts, second string) qemu {
	kernel := filepath.Join(parts.kernel, "vmlinuz")
	return qemu{
		accel: acceleration(ctx, kernel, m.tmp), kernel: kernel, initrd: filepath.Join(parts.kernel, "initrd.img"),
		console: m.console, payload: second, agent: true, mib: vmMemory, command: vmCommandLine,
	}
}

// start starts qemu. The context that it returns ends when qemu does.
func (m *virtual) start(ctx context.Context, q qemu) (alive context.Context, err error) {
	if m.process, err = q.start(ctx, m.tmp); err != nil {
		return nil, err
	}
	m.agent = newAgentClient(m.process.line)
	alive, dead := context.WithCancelCause(ctx)
	go func(p *qemuProcess) {
		<-p.done
		dead(fmt.Errorf("qemu has ended: %w", errors.Join(p.err, errors.New("see "+q.console))))
	}(m.process)
	return alive, nil
}

func (m *virtual) say(format string, args ...any) { fmt.Fprintf(m.log, "bed: "+format+"\n", args...) }

// boot waits until systemd has started everything.
func (m *virtual) boot(ctx context.Context) error {
	ctx, cancel := watch(ctx, "the VM to boot", 10*time.Minute, time.Second, m.consoleMark)
	defer cancel()
	select {
	case <-m.agent.ready:
	case <-ctx.Done():
		return fmt.Errorf("%w (see %s)", context.Cause(ctx), m.console)
	}
	state, _ := m.output(ctx, "systemctl", "is-system-running", "--wait") // its exit code says no more than its output
	if state = strings.TrimSpace(state); state != "running" {
		failed, _ := m.output(ctx, "systemctl", "--no-pager", "--plain", "list-units", "--failed")
		m.say("systemd says %q\n%s", state, failed)
	}
	return nil
}

// install lays the payload over the root.
func (m *virtual) install(ctx context.Context) error {
	_, err := m.output(ctx, "sh", "-c", vmInstall)
	return err
}

// output runs a command in the VM that has to work, and returns what it wrote to stdout.
func (m *virtual) output(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	code, err := m.agent.Run(ctx, &stdout, &stderr, args...)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: exit code %d: %s", strings.Join(args, " "), code, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), err
}

// powerOff lets the VM end by itself, as a machine of people would.
func (m *virtual) powerOff(ctx context.Context) error {
	start := time.Now()
	m.agent.Run(ctx, io.Discard, io.Discard, "systemctl", "poweroff", "--no-block") //nolint:errcheck // seen below
	select {
	case <-m.process.done:
		if m.process.err != nil {
			return fmt.Errorf("cannot power the VM off: qemu: %w", m.process.err)
		}
		m.say("the VM powered off after %s", since(start))
		return nil
	case <-time.After(5 * time.Minute):
		return fmt.Errorf("cannot power the VM off: it still runs after five minutes (see %s)", m.console)
	}
}

// saveLogs keeps what explains a failure next to the console's log.
func (m *virtual) saveLogs(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for name, args := range collected {
		file, err := os.Create(filepath.Join(m.logs, name))
		if err != nil {
			continue
		}
		m.agent.Run(ctx, file, file, args...) //nolint:errcheck // as much as possible
		file.Close()
	}
	packed := filepath.Join(m.logs, "files.tar")
	file, err := os.Create(packed)
	if err != nil {
		return
	}
	defer file.Close()
	m.agent.Run(ctx, file, io.Discard, "tar", "-chf", "-", "-C", "/", "var/log/pods", "etc/kubernetes/manifests", //nolint:errcheck // as much as possible
		"var/lib/kubelet/config.yaml", "var/lib/kubelet/kubeadm-flags.env")
	if exec.Command("tar", "-xf", packed, "-C", m.logs).Run() == nil {
		os.Remove(packed) //nolint:errcheck // it is a log, too
	}
}
