package cluster

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nodeOf is a Node as a kubelet reports it.
func nodeOf(boot, machine string, ips ...string) *corev1.Node {
	n := &corev1.Node{TypeMeta: typeMeta("v1", "Node")}
	n.Name, n.UID = "w1", "node-uid"
	n.Status.NodeInfo = corev1.NodeSystemInfo{BootID: boot, MachineID: machine}
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "10.0.0.1"}}
	for _, ip := range ips {
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip})
	}
	return n
}

// reported is when the kubelet last said so.
func reported(n *corev1.Node, at time.Time) *corev1.Node {
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, LastHeartbeatTime: metav1.NewTime(at)}}
	return n
}

func ownMachine() Machine {
	return Machine{BootID: "boot", MachineID: "machine", Booted: time.Unix(1e9, 0), HasAddress: func(ip string) bool {
		return ip == "10.0.0.1" || ip == "127.0.0.1" || ip == "fe80::1"
	}}
}

// TestMachineOwns: the machine may have been booted since, and nothing that others may share is a proof.
func TestMachineOwns(t *testing.T) {
	without := func(change func(*Machine)) Machine {
		m := ownMachine()
		change(&m)
		return m
	}
	for name, test := range map[string]struct {
		node *corev1.Node
		own  Machine
		want bool
	}{
		"this boot":                            {nodeOf("boot", "machine", "10.0.0.9"), ownMachine(), true},
		"machine ID not reported":              {nodeOf("boot", ""), ownMachine(), true},
		"machine ID not known":                 {nodeOf("boot", "machine"), without(func(m *Machine) { m.MachineID = "" }), true},
		"booted since":                         {nodeOf("before", "machine", "10.0.0.9", "10.0.0.1"), ownMachine(), true},
		"booted since it reported":             {reported(nodeOf("before", "machine", "10.0.0.1"), time.Unix(1e9-60, 0)), ownMachine(), true},
		"alive, with an address that all have": {reported(nodeOf("there", "machine", "10.0.0.1"), time.Unix(1e9+60, 0)), ownMachine(), false},
		"alive, and it is us":                  {reported(nodeOf("boot", "machine", "10.0.0.1"), time.Unix(1e9+60, 0)), ownMachine(), true},
		"boot ID not known, and it reports":    {reported(nodeOf("x", "machine", "10.0.0.1"), time.Unix(1e9+60, 0)), without(func(m *Machine) { m.BootID = "" }), true},
		"boot ID not known":                    {nodeOf("", "", "10.0.0.1"), without(func(m *Machine) { m.BootID = "" }), true},
		"container on the same kernel":         {nodeOf("boot", "other", "10.0.0.2"), ownMachine(), false},
		"of the same image":                    {nodeOf("there", "machine", "10.0.0.2"), ownMachine(), false},
		"dead machine, and we its address":     {nodeOf("there", "other", "10.0.0.1"), ownMachine(), false},
		"another":                              {nodeOf("there", "other", "10.0.0.2"), ownMachine(), false},
		"its host name looks like ours":        {nodeOf("there", "machine"), ownMachine(), false},
		"an address that every machine has":    {nodeOf("there", "machine", "127.0.0.1", "fe80::1"), ownMachine(), false},
		"made by hand":                         {nodeOf("", ""), ownMachine(), false},
		"nothing is known":                     {nodeOf("", "", "10.0.0.1"), Machine{}, false},
	} {
		if got := test.own.owns(test.node); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestOtherMachineError(t *testing.T) {
	for want, node := range map[string]*corev1.Node{
		`address 10.0.0.2, fd00::2, machine ID "m", boot ID "b", last report 2001-09-09T01:46:40Z; it is left alone`: reported(nodeOf("b", "m", "10.0.0.2", "fd00::2"), time.Unix(1e9, 0)),
		"no kubelet has reported for it; it is left alone":                                                           nodeOf("", ""),
	} {
		err := &OtherMachineError{Node: "w1", Whose: whose(node)}
		if got := err.Error(); !strings.Contains(got, want) || !strings.HasSuffix(got, ": kubectl delete node w1") {
			t.Error(got)
		}
	}
}
