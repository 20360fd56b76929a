package bed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Endpoint is the address of the lab's load balancer, for a controlPlaneEndpoint: the host's address on the lab's network,
// and the API server's port. Somebody answers there after StartBalancer.
func (l *Lab) Endpoint() string { return net.JoinHostPort(l.Gateway(), "6443") }

// balancerGroup is the name of the load balancer's cgroups. No machine is called so: `_` is in no host name.
func (l *Lab) balancerGroup() string { return l.prefix() + "_lb" }

func (l *Lab) balancerRecord() string { return filepath.Join(l.dir(), "balancer.json") }

func (l *Lab) balancerLog() string { return filepath.Join(l.dir(), "balancer.log") }

// Balancer is the load balancer's process, which may have died; zero if there never was one.
func (l *Lab) Balancer() Process {
	var p Process
	if loadJSON(l.balancerRecord(), &p) != nil {
		return Process{}
	}
	return p
}

// StartBalancer starts the lab's load balancer, if it does not run, and returns when it takes connections. It forwards to
// port 6443 of those machines that take connections there, also of machines that come later. It is a process of its own, so
// that it outlives its maker, and Down ends it as it ends a machine.
func (l *Lab) StartBalancer() error {
	l.balancing.Lock()
	defer l.balancing.Unlock()
	if l.Balancer().Alive() {
		return nil
	}
	if err := l.startBalancer(); err != nil {
		return fmt.Errorf("cannot start the load balancer of lab %s: %w", l.Name, err)
	}
	return nil
}

func (l *Lab) startBalancer() error {
	if _, err := createCgroups(l.balancerGroup()); err != nil {
		return err
	}
	log, err := os.OpenFile(l.balancerLog(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(l.Kit.Bed, "--name", l.Name, "lb")
	cmd.Env = append(os.Environ(), "KUBEWRIGHT_CACHE="+l.cache.Dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait() //nolint:errcheck // its log says why
		close(ended)
	}()
	p, err := processOf(cmd.Process.Pid)
	if err == nil {
		err = saveJSON(l.balancerRecord(), p)
	}
	for deadline := time.Now().Add(20 * time.Second); err == nil; {
		conn, derr := net.DialTimeout("tcp", l.Endpoint(), time.Second)
		if derr == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return derr
		}
		select {
		case <-ended:
			err = errors.New("it has ended")
		case <-time.After(10 * time.Millisecond):
		}
	}
	said, _ := os.ReadFile(l.balancerLog())
	return fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(said)))
}

// ServeBalancer is the load balancer, which the command `bed lb` is. It joins its cgroups before anything else: Down finds it
// there even if its maker died before it could write down who that is. It returns when ctx ends or when the lab is gone.
func (l *Lab) ServeBalancer(ctx context.Context) error {
	for _, h := range hierarchies() {
		procs := filepath.Join(h.path, l.balancerGroup(), "cgroup.procs")
		if err := os.WriteFile(procs, fmt.Append(nil, os.Getpid()), 0o644); err != nil {
			return fmt.Errorf("cannot join a cgroup: %w", err)
		}
	}
	listener, err := net.Listen("tcp", l.Endpoint())
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return newBalancer(func() []string {
		now, err := OpenLab(l.cache, l.Name) // machines come and go
		if errors.Is(err, os.ErrNotExist) {
			cancel()
		}
		if err != nil {
			return nil
		}
		var all []string
		for _, m := range now.Machines() {
			all = append(all, net.JoinHostPort(m.IP(), "6443"))
		}
		return all
	}, os.Stderr).serve(ctx, listener)
}
