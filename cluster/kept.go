package cluster

import (
	"fmt"
	"strings"
)

// KeptError names what the credentials may not delete of a node.
type KeptError struct {
	// Objects are named as NodeLeftovers does.
	Objects []string
	// node is the name of the Node, if it is among them. requests and others say whether there are such.
	node             string
	requests, others bool
	// first is the answer about the first of them.
	first error
}

func (e *KeptError) add(r remnant, err error) {
	e.Objects = append(e.Objects, r.String())
	switch r.kind {
	case nodeKind:
		e.node = r.name
	case requestKind:
		e.requests = true
	default:
		e.others = true
	}
	if e.first == nil {
		e.first = err
	}
}

// Error also says how somebody else can delete them. What belongs to the Node goes with it.
func (e *KeptError) Error() string {
	text := fmt.Sprintf("cannot delete %s: %s", strings.Join(e.Objects, ", "), e.first)
	switch {
	case e.node != "":
		text += "\nwith the credentials of an administrator: kubectl delete node " + e.node
	case e.others:
		text += "\ndelete them by kubectl, with the credentials of an administrator"
	}
	if e.requests {
		text += "\nrequests for certificates are deleted by the cluster itself, within a day"
	}
	return text
}

func (e *KeptError) Unwrap() error { return e.first }
