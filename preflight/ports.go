package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/kubewright/kubewright/config"
)

// The kubelet's port and those of etcd, which kubeadm does not let anybody change.
const (
	kubeletPort    = 10250
	etcdClientPort = 2379
	etcdPeerPort   = 2380
)

// kubeletProcess is the name of the kubelet's program.
const kubeletProcess = "kubelet"

// controlPlanePorts are where the API server, the controller manager and the scheduler will listen; extraArgs may move them.
// The checks keep the names that kubeadm gives them, which follow the usual ports.
func (i *initChecks) controlPlanePorts() []Check {
	cl := &i.c.Cluster
	var checks []Check
	for _, p := range []struct {
		component, host string
		port            int
		args            []config.Arg
		move            string
	}{
		{config.APIServer, "", int(i.c.Init.LocalAPIEndpoint.BindPort), cl.APIServer.ExtraArgs, "or set localAPIEndpoint.bindPort to another port"},
		{config.ControllerManager, "127.0.0.1", 10257, cl.ControllerManager.ExtraArgs, ""},
		{config.Scheduler, "127.0.0.1", 10259, cl.Scheduler.ExtraArgs, ""},
	} {
		named := p.port
		host, _ := config.ArgValue(p.args, "bind-address")
		if text, given := config.ArgValue(p.args, "secure-port"); given {
			port, err := strconv.Atoi(text)
			if err != nil || port == 0 { // the component itself refuses it, or does not listen
				continue
			}
			p.port = port
		}
		checks = append(checks, i.port(named, p.component, p.port, p.move, cmp.Or(host, p.host)))
	}
	return checks
}

// kubeletPort is where the kubelet will serve its API.
func (i *initChecks) kubeletPort() Check {
	port, host := kubeletPort, ""
	if k := i.c.Kubelet; k != nil {
		port, host = cmp.Or(int(k.Port), port), k.Address
	}
	return i.port(kubeletPort, kubeletProcess, port, "", host)
}

// etcdPorts are where etcd will listen: the client port also on the loopback address, which the API server uses.
func (i *initChecks) etcdPorts() []Check {
	address, loopback := i.c.Init.LocalAPIEndpoint.AdvertiseAddress, "127.0.0.1"
	if i.c.IPv6() {
		loopback = "::1"
	}
	return []Check{
		i.port(etcdClientPort, config.Etcd, etcdClientPort, "", address, loopback),
		i.port(etcdPeerPort, config.Etcd, etcdPeerPort, "", address),
	}
}

// port must be free on all the addresses (an empty one stands for all that the machine has), unless the component that it is
// for is there already because we started it. The check has the name of the usual port.
func (i *initChecks) port(named int, component string, port int, move string, addresses ...string) Check {
	return Check{Name: fmt.Sprintf("Port-%d", named), Find: func(ctx context.Context) []Finding {
		if i.m.Listen == nil {
			return nil
		}
		for _, address := range addresses {
			err := i.m.Listen(ctx, net.JoinHostPort(address, strconv.Itoa(port)))
			switch {
			case err == nil:
			case errors.Is(err, syscall.EADDRINUSE):
				holders := i.listeners(port)
				if i.ours(ctx, component, holders) {
					return nil
				}
				return failed(fmt.Sprintf("port %d, which %s needs, is taken%s", port, component, by(holders)), freePort(holders, move))
			case errors.Is(err, syscall.EADDRNOTAVAIL):
				return failed(fmt.Sprintf("%s cannot listen on port %d of %s: this machine does not have that address", component, port, address),
					"set localAPIEndpoint.advertiseAddress, or --apiserver-advertise-address, to an address of this machine")
			default:
				return failed(fmt.Sprintf("%s cannot listen on %s: %v", component, net.JoinHostPort(address, strconv.Itoa(port)), err), "")
			}
		}
		return nil
	}}
}

func (i *initChecks) listeners(port int) []Process {
	if i.m.Listeners == nil {
		return nil
	}
	return i.m.Listeners(port)
}

func by(holders []Process) string {
	var names []string
	for _, p := range holders {
		names = append(names, p.String())
	}
	if len(names) == 0 {
		return ""
	}
	return " by " + strings.Join(names, ", ")
}

// freePort says how to free a port. A component of a control plane is best ended by whoever started it.
func freePort(holders []Process, move string) string {
	if slices.ContainsFunc(holders, func(p Process) bool {
		return p.Name == kubeletProcess || slices.Contains(staticPods, p.Name)
	}) {
		return "this machine runs a Kubernetes node already: reset it with the tool that made it, as in: kubeadm reset"
	}
	if move != "" {
		return "stop what listens there\n" + move
	}
	return "stop what listens there"
}
