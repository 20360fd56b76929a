package cluster

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Machine is what tells whether a Node is that of this machine. What is zero is not compared.
type Machine struct {
	// BootID is the kernel's, of /proc/sys/kernel/random/boot_id. Containers on one kernel share it.
	BootID string
	// MachineID is that of /etc/machine-id. Machines that were made of one image may share it.
	MachineID string
	// Booted is when the machine was booted, by its clock.
	Booted time.Time
	// HasAddress says whether an interface of this machine has the IP address. Nil means that none has.
	HasAddress func(ip string) bool
}

// OtherMachineError says that the Node of a name is another machine's, or nobody can tell whose.
type OtherMachineError struct {
	// Node is the name, Whose is what the Node tells of its machine.
	Node, Whose string
}

func (e *OtherMachineError) Error() string {
	return fmt.Sprintf("Node %s seems to be another machine's: %s; it is left alone\nif that machine is gone, or is this one: kubectl delete node %[1]s",
		e.Node, e.Whose)
}

// owns says whether a kubelet of this machine has written the Node: since the last boot, or before it, and then an address must do.
// A machine ID is no proof, but one that differs says no; so does a report since the last boot that is not from it.
func (m Machine) owns(node *corev1.Node) bool {
	info := node.Status.NodeInfo
	if m.MachineID != "" && info.MachineID != "" && m.MachineID != info.MachineID {
		return false
	}
	if m.BootID != "" && m.BootID == info.BootID {
		return true
	}
	if m.BootID != "" && info.BootID != "" && !m.Booted.IsZero() && heartbeat(node).After(m.Booted) {
		return false
	}
	for _, ip := range addressesOf(node) {
		// An address that every machine has tells nothing.
		if a, err := netip.ParseAddr(ip); err == nil && a.IsGlobalUnicast() && m.HasAddress != nil && m.HasAddress(ip) {
			return true
		}
	}
	return false
}

// heartbeat is when the node's kubelet last reported, by its clock; zero when it never has.
func heartbeat(node *corev1.Node) time.Time {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.LastHeartbeatTime.Time
		}
	}
	return time.Time{}
}

func addressesOf(node *corev1.Node) []string {
	var found []string
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP || a.Type == corev1.NodeExternalIP {
			found = append(found, a.Address)
		}
	}
	return found
}

// whose is what a Node tells of its machine.
func whose(node *corev1.Node) string {
	var known []string
	if ips := addressesOf(node); len(ips) > 0 {
		known = append(known, "address "+strings.Join(ips, ", "))
	}
	if info := node.Status.NodeInfo; info.MachineID != "" || info.BootID != "" {
		known = append(known, fmt.Sprintf("machine ID %q, boot ID %q", info.MachineID, info.BootID))
	}
	if last := heartbeat(node); !last.IsZero() {
		known = append(known, "last report "+last.UTC().Format(time.RFC3339))
	}
	if len(known) == 0 {
		return "no kubelet has reported for it"
	}
	return strings.Join(known, ", ")
}
