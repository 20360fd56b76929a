package bed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kubewright/kubewright/cause"
)

// Power is what `make test-power` does: the power of a VM is cut again and again while kubewright init runs in it. After each cut it
// boots from what its disk has kept, the files are looked at, and the same command goes on. At last it runs to its end.
type Power struct {
	Cuts int
	Seed uint64 // of the moments and of what the disk loses
	Out  io.Writer
	Log  io.Writer
}

// Run makes the disk, and is done when the cluster is. An error tells what a cut has broken.
func (p Power) Run(ctx context.Context, b *Builder) error {
	return VM{Tool: "kubewright", Out: p.Out, Log: p.Log}.prepared(ctx, b, "power", func(m *virtual, parts vmParts) error {
		m.say("%d power cuts, seed %d", p.Cuts, p.Seed)
		disk := filepath.Join(m.tmp, "disk")
		if err := runQuiet(exec.Command("sh", "-c", powerDiskScript, "sh", parts.disk, disk)); err != nil {
			return fmt.Errorf("cannot make the disk of the VM: %w", err)
		}
		second, err := parts.payload.write(m.tmp)
		if err != nil {
			return fmt.Errorf("cannot make the disk of the VM: %w", err)
		}
		q := m.describe(ctx, parts, second)
		q.socket = filepath.Join(m.tmp, "disk.sock")
		// By default ext4 guesses which files want to be written before they are renamed over others. Other file systems
		// do not, so it may not here.
		q.command = append(q.command[:len(q.command):len(q.command)], "rootflags=noauto_da_alloc")
		random := rand.New(rand.NewPCG(p.Seed, 0))
		o := &outage{virtual: m, tool: "kubewright", qemu: q, random: random, before: stateTree{}}
		if o.disk, err = openVolatileDisk(disk); err != nil {
			return err
		}
		defer o.disk.Close()
		if o.listener, err = net.Listen("unix", q.socket); err != nil {
			return err
		}
		defer o.listener.Close()
		err = o.run(ctx, moments(p.Cuts, random))
		o.table()
		if err != nil {
			return err
		}
		// Whatever the kernel has made of the disk, it has to be a file system.
		return runQuiet(exec.Command("e2fsck", "-fn", disk))
	})
}

// powerDiskScript copies a disk and gives its file system a journal, as those of people have.
const powerDiskScript = `set -eu
cp --sparse=always "$1" "$2"
tune2fs -j "$2"`

// outage is a VM whose power is cut.
type outage struct {
	*virtual
	tool     string // program in the VM
	qemu     qemu
	random   *rand.Rand
	disk     *volatileDisk
	listener net.Listener
	boots    int
	before   stateTree // all that was ever seen on the disk, as it was seen last
	rows     []outageRow
}

// outageRow is a line of the table: what a cut has left, and how the next run went on.
type outageRow struct{ moment, at, lost, kept, resumed string }

// run boots, lets init run and cuts, once for each moment; then once more without a cut.
func (o *outage) run(ctx context.Context, list []moment) error {
	for n := 0; n <= len(list); n++ {
		alive, err := o.boot(ctx)
		if err != nil {
			return err
		}
		defer o.process.stop()
		if err := o.look(alive); err != nil {
			return errors.Join(err, o.explain(alive))
		}
		if n == len(list) {
			return o.end(alive)
		}
		if err := o.cut(alive, list[n]); err != nil {
			return errors.Join(err, o.explain(alive))
		}
	}
	return nil
}

// explain keeps the logs of a VM that still runs.
func (o *outage) explain(alive context.Context) error {
	if alive.Err() == nil {
		o.saveLogs(alive)
	}
	return nil
}

// boot switches the power on and waits for systemd.
func (o *outage) boot(ctx context.Context) (alive context.Context, err error) {
	start := time.Now()
	o.boots++
	o.console = filepath.Join(o.logs, fmt.Sprintf("console-%d.log", o.boots))
	o.qemu.console = o.console
	o.disk.On()
	go func() {
		line, err := o.listener.Accept()
		if err != nil {
			return
		}
		defer line.Close()
		if err := serveNBD(line, o.disk, o.disk.size); err != nil {
			o.say("%v", err)
		}
	}()
	if alive, err = o.start(ctx, o.qemu); err != nil {
		return nil, err
	}
	if err := o.virtual.boot(alive); err != nil {
		o.process.stop()
		return nil, fmt.Errorf("cannot boot the VM (boot %d): %w", o.boots, err)
	}
	if o.boots == 1 {
		if err = o.install(alive); err == nil {
			_, err = o.output(alive, "sync")
		}
	}
	o.say("boot %d took %s (%s)", o.boots, since(start), o.qemu.accel)
	return alive, err
}

// look judges what is on the disk.
func (o *outage) look(ctx context.Context) error {
	archive, err := o.output(ctx, "sh", "-c", packState)
	if err != nil {
		return fmt.Errorf("cannot look at the state of the machine: %w", err)
	}
	now, err := readState(strings.NewReader(archive))
	if err != nil {
		return err
	}
	if len(o.rows) > 0 {
		o.rows[len(o.rows)-1].kept = now.summary()
	}
	o.say("on the disk: %s", now.summary())
	for _, name := range now.leftovers() {
		o.say("being written was %s: %d bytes", name, len(now[name].data))
	}
	if bad := append(now.damage(), now.changedSince(o.before)...); len(bad) > 0 {
		return fmt.Errorf("boot %d finds:\n  %s", o.boots, strings.Join(bad, "\n  "))
	}
	if out, err := o.output(ctx, "kubewright", "history"); err != nil {
		return fmt.Errorf("cannot read the journals: %w", err)
	} else if o.boots > 1 {
		o.say("history:\n%s", strings.TrimSpace(out))
	}
	o.before = now
	return nil
}

// attempts is how often init is run where it fails and says that the same command goes on. An emulated machine on a busy host may be
// so slow that its container runtime does not answer for minutes, which no power cut has done.
const attempts = 3

// init runs init, told by its events, and again where that is what it says. What it says otherwise goes to the log.
func (o *outage) init(ctx context.Context, s *seen, begun func()) (err error) {
	ctx, cancel := watch(ctx, "kubewright init", 8*time.Minute, 20*time.Second, o.clusterMark)
	defer cancel()
	for n := range attempts {
		var failed *initFailure
		if err = o.initOnce(ctx, s, begun); !errors.As(err, &failed) || failed.code != cause.Incomplete.Exit() || n+1 == attempts {
			break
		}
		o.say("init again: %v", err)
	}
	if n := len(o.rows); n > 0 && o.rows[n-1].resumed == "" && s.last.Event != "" {
		o.rows[n-1].resumed = s.resumed()
	}
	return err
}

// initFailure is an init that has ended by itself.
type initFailure struct {
	code int
	why  string
}

func (e *initFailure) Error() string { return fmt.Sprintf("exit code %d: %s", e.code, e.why) }

func (o *outage) initOnce(ctx context.Context, s *seen, begun func()) error {
	why := ""
	events := &eventWriter{got: func(e runEvent) {
		if e.Event == "phase" {
			o.say("%s has ended", e.Phase)
		}
		if e.Event == "error" {
			why = e.Message
		}
		if s.take(e) {
			begun()
		}
	}}
	code, err := o.agent.Run(ctx, io.MultiWriter(events, counter{&o.said}), o.log, o.tool, "init", "--config", initFile, "-o", "json")
	if err == nil && code != 0 {
		err = &initFailure{code, why}
	}
	if err != nil {
		err = fmt.Errorf("cannot run kubewright init: %w", err)
	}
	return err
}

// cut runs init and cuts the power at the moment, or when init has come to an end before.
func (o *outage) cut(ctx context.Context, m moment) error {
	s := &seen{moment: m}
	row := outageRow{moment: m.String()}
	var done atomic.Bool
	var cutting error
	off := make(chan struct{})
	cut := func() {
		if !done.CompareAndSwap(false, true) {
			return
		}
		defer close(off)
		keep := []float64{0, 0.5, 0.9}[o.random.IntN(3)]
		var l lost
		l, cutting = o.disk.Cut(o.random, keep)
		o.process.stop()
		row.lost = fmt.Sprintf("%d of %d", l.cached-l.kept, l.cached)
	}
	start := time.Now()
	err := o.init(ctx, s, func() { time.AfterFunc(m.delay, cut) })
	if err != nil && done.CompareAndSwap(false, true) {
		return err // it has failed by itself, which is no power cut
	}
	cut()
	<-off
	row.at = fmt.Sprintf("%s (%s)", s.where(), since(start))
	if err == nil {
		row.at = "after its end"
	}
	o.rows = append(o.rows, row)
	o.say("cut %d, %s: %s; %s blocks lost", len(o.rows), row.moment, row.at, row.lost)
	return cutting
}

// end lets init run to its end and judges the cluster.
func (o *outage) end(ctx context.Context) error {
	start := time.Now()
	if err := o.init(ctx, &seen{}, func() {}); err != nil {
		return errors.Join(err, o.explain(ctx))
	}
	o.say("the last init took %s", since(start))
	if err := o.judge(ctx); err != nil {
		return errors.Join(err, o.explain(ctx))
	}
	return o.powerOff(ctx)
}

// judge says whether the cluster and the machine are as after an init that nobody has disturbed.
func (o *outage) judge(ctx context.Context) error {
	if _, err := o.kubectl(ctx, "wait", "--for=condition=Ready", "node/"+vmName, "--timeout=15m"); err != nil {
		return fmt.Errorf("the node does not become ready: %w", err)
	}
	if err := o.look(ctx); err != nil {
		return err
	}
	if left := o.before.leftovers(); len(left) > 0 {
		return fmt.Errorf("left behind: %s", strings.Join(left, ", "))
	}
	const pki = "/etc/kubernetes/pki/etcd/"
	members, err := o.output(ctx, "etcdctl", "--endpoints", "https://127.0.0.1:2379", "--cacert", pki+"ca.crt",
		"--cert", pki+"healthcheck-client.crt", "--key", pki+"healthcheck-client.key", "--command-timeout", "60s", "member", "list")
	if n := strings.Count(members, "\n"); err != nil || n != 1 {
		return fmt.Errorf("etcd has %d members, want one: %w", n, errors.Join(err, errors.New(members)))
	}
	tokens, err := o.kubectl(ctx, "get", "secrets", "-n", "kube-system", "--field-selector", "type=bootstrap.kubernetes.io/token", "-o", "name")
	if n := strings.Count(tokens, "\n"); err != nil || n != 1 {
		return fmt.Errorf("there are %d tokens, want one: %w", n, errors.Join(err, errors.New(tokens)))
	}
	o.say("the node is ready, with one member of etcd and one token")
	return o.again(ctx)
}
