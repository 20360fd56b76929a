package bed

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQemuArgs(t *testing.T) {
	for _, test := range []struct {
		name string
		q    qemu
		want string
	}{
		{"probe", qemu{accel: "kvm", kernel: "/k/vmlinuz", command: []string{"console=ttyS0", "panic=-1"}, console: "/t/probe.log", mib: 512},
			`-name kubewright -nodefaults -no-user-config -no-reboot -display none -monitor none
			-accel kvm -cpu max -smp 2 -m 512 -kernel /k/vmlinuz -append "console=ttyS0 panic=-1" -serial file:/t/probe.log`},
		{"whole", qemu{accel: "tcg", kernel: "/k/vmlinuz", initrd: "/k/initrd.img", command: []string{"root=/dev/vda", "rw"},
			console: "/l/console.log", disk: "/c/disk", payload: "/t/payload.img", agent: true, mib: 6144},
			`-name kubewright -nodefaults -no-user-config -no-reboot -display none -monitor none
			-accel tcg,thread=multi -cpu max -smp 2 -m 6144 -kernel /k/vmlinuz -append "root=/dev/vda rw" -serial file:/l/console.log
			-initrd /k/initrd.img
			-drive file=/c/disk,format=raw,if=virtio,snapshot=on,cache=unsafe -drive file=/t/payload.img,format=raw,if=virtio,readonly=on
			-device virtio-rng-pci -netdev user,id=net,restrict=on,ipv6=off -device virtio-net-pci,netdev=net,romfile=
			-device virtio-serial-pci -chardev socket,id=agent,fd=3 -device virtserialport,chardev=agent,name=bed`},
		{"disk of a server", qemu{accel: "tcg", kernel: "/k", socket: "/t/s", command: []string{"x"}, mib: 1},
			`-name kubewright -nodefaults -no-user-config -no-reboot -display none -monitor none
			-accel tcg,thread=multi -cpu max -smp 2 -m 1 -kernel /k -append x -serial file:
			-drive file=nbd:unix:/t/s,format=raw,if=virtio,cache=writeback`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, arg := range test.q.args() {
				if strings.Contains(arg, " ") {
					arg = `"` + arg + `"`
				}
				got = append(got, arg)
			}
			if diff := cmp.Diff(strings.Join(strings.Fields(test.want), " "), strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var moved atomic.Int64
		start := time.Now()
		ctx, cancel := watch(t.Context(), "the moon", time.Minute, time.Second, func(context.Context) string {
			return string(rune('a' + moved.Load()))
		})
		defer cancel()
		for range 5 {
			time.Sleep(50 * time.Second)
			moved.Add(1)
			if err := context.Cause(ctx); err != nil {
				t.Fatalf("after %s: %v", time.Since(start), err)
			}
		}
		<-ctx.Done()
		err := context.Cause(ctx)
		if err == nil || err.Error() != "nothing has moved for 1m0s while waiting for the moon" {
			t.Errorf("cause: %v", err)
		}
		if took := time.Since(start); took < 310*time.Second || took > 313*time.Second {
			t.Errorf("ended after %s, want a minute after the last sign, which came after 250s", took)
		}
	})
}

func TestNotReady(t *testing.T) {
	const ready = `{"type":"Ready","status":"True"}`
	pod := func(name, condition string) string {
		return `{"kind":"Pod","metadata":{"name":"` + name + `"},"status":{"phase":"Pending","conditions":[` + condition + `]}}`
	}
	for _, test := range []struct {
		name, items string
		want        []string
	}{
		{"nothing", "", []string{"Node: not there yet", "Pod/coredns: not there yet", "Pod/kube-proxy: not there yet"}},
		{"some", `{"kind":"Node","metadata":{"name":"n"},"status":{"conditions":[{"type":"Ready","status":"False","message":"no network"}]}},` +
			pod("coredns-1", "") + "," + pod("kube-proxy-1", ready),
			[]string{"Node/n: no network", "Pod/coredns-1: Pending"}},
		{"all", `{"kind":"Node","metadata":{"name":"n"},"status":{"conditions":[` + ready + `]}},` +
			pod("coredns-1", ready) + "," + pod("kube-proxy-1", ready), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := notReady([]byte(`{"items":[` + test.items + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	one := `{"items":[{"kind":"Node","metadata":{"name":"w10"},"status":{"conditions":[` + ready + `]}}]}`
	got, err := notReady([]byte(one), "w1", "w10")
	if want := []string{"Node/w1: not there yet", "Pod/coredns: not there yet", "Pod/kube-proxy: not there yet"}; err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("with a node that is missing: %q, %v; want %q", got, err, want)
	}
	if _, err := notReady([]byte("The connection was refused")); err == nil {
		t.Error("no error for what is not JSON")
	}
}

// fakeVM is a virtual machine that is a process of this host: tool stands for the tool.
func fakeVM(t *testing.T) (m *virtual, log *bytes.Buffer) {
	t.Helper()
	host, guest := net.Pipe()
	go Agent(guest) //nolint:errcheck // ends with the pipe
	t.Cleanup(func() { host.Close() })
	log = &bytes.Buffer{}
	c := newAgentClient(host)
	await(t, c.ready)
	return &virtual{agent: c, out: io.Discard, log: log, console: t.TempDir() + "/console.log"}, log
}

func TestVirtualInit(t *testing.T) {
	m, log := fakeVM(t)
	err := m.init(t.Context(), "echo")
	if want := "init --config /root/init.yaml\n"; err != nil || log.String() != want {
		t.Errorf("init = %v; log %q; want %q", err, log, want)
	}
	if err := m.init(t.Context(), "false"); err == nil || !strings.Contains(err.Error(), "cannot run false init: exit code 1") {
		t.Errorf("a tool that fails: %v", err)
	}
	if m.said.Load() != int64(log.Len()) {
		t.Errorf("%d bytes were counted, want %d", m.said.Load(), log.Len())
	}
}

func TestReadEvents(t *testing.T) {
	const end = `{"event":"result","changes":0}`
	for _, test := range []struct {
		name, text string
		want       seenEvents
		err        string
	}{
		{"nothing to do", `{"event":"warning","message":"w"}
{"event":"step","phase":"certs","step":"file /a","change":"same"}
{"event":"phase","phase":"certs","changes":0}
` + end, seenEvents{same: 1}, ""},
		{"waits are no changes", `{"event":"step","phase":"wait-control-plane","step":"wait until kube-scheduler answers","change":"run","why":"refused"}
{"event":"result","changes":1}`, seenEvents{waits: []string{"wait until kube-scheduler answers: refused"}}, ""},
		{"changes", `{"event":"step","phase":"certs","step":"file /a","change":"same"}
{"event":"step","phase":"certs","step":"file /b","change":"update","why":"SANs differ"}
{"event":"step","phase":"addon","step":"object Deployment coredns","change":"create"}
{"event":"result","changes":2}`,
			seenEvents{same: 1, changes: []string{"certs: update file /b: SANs differ", "addon: create object Deployment coredns"}}, ""},
		{"cut off", `{"event":"step","phase":"certs","step":"file /a","change":"same"}`, seenEvents{}, "no result"},
		{"text", "Nothing to do", seenEvents{}, "invalid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := readEvents(test.text)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(seenEvents{})); err == nil && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWaitForTurn(t *testing.T) {
	path := t.TempDir() + "/lock"
	var log bytes.Buffer
	done, err := waitForTurn(t.Context(), path, &log)
	if err != nil || log.Len() > 0 {
		t.Fatalf("the first: %v, said %q", err, log.String())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := waitForTurn(ctx, path, &log); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(log.String(), "another VM") {
		t.Fatalf("the second: %v, said %q; want it to wait and to say so", err, log.String())
	}
	done()
	if done, err = waitForTurn(t.Context(), path, &log); err != nil {
		t.Fatalf("after the first: %v", err)
	}
	done()
}

func TestEnded(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want wireMessage
	}{
		{"well", nil, wireMessage{ID: 4, Code: new(0)}},
		{"well, with a daemon left", exec.ErrWaitDelay, wireMessage{ID: 4, Code: new(0)}},
		{"not at all", errors.New("no such file"), wireMessage{ID: 4, Code: new(-1), Error: "no such file"}},
	} {
		if diff := cmp.Diff(test.want, ended(4, test.err)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}
