package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/phases"
)

// asks says whether the user is asked first: in the phase preflight, as with kubeadm.
func (f *resetFlags) asks() bool {
	return !f.dryRun && !f.force && f.runs("preflight")
}

// beforehand says what the user should know before anything happens.
func (f *resetFlags) beforehand(facts *phases.Facts) []string {
	r := facts.Resetting
	var list []string
	ownCluster := r.LastOfCluster() || len(f.only) > 0 && f.only[len(f.only)-1].Command == phases.Init().Name
	if f.noCluster != nil && !ownCluster { // else it ends with this machine
		list = append(list, fmt.Sprintf("what the cluster keeps of node %s stays there: %v\nif the cluster lives on, remove it there: kubectl delete node %[1]s", r.Node, f.noCluster))
	}
	leaves := f.runs("preflight") || f.runs("remove-etcd-member")
	if leaves && r.LastOfCluster() {
		fate := "is moved aside"
		switch {
		case facts.Skips("remove-etcd-member"):
			fate = "stays where it is"
		case r.Etcd.Wipe:
			fate = "is deleted"
		}
		list = append(list, fmt.Sprintf("node %s is the last control plane of its cluster: the cluster ends with it, and its data %s", r.Node, fate))
	} else if leaves && r.Etcd == nil && slices.Equal(r.ControlPlanes, []string{r.Node}) {
		list = append(list, fmt.Sprintf("node %s is the last control plane of its cluster: what is in the external etcd stays", r.Node))
	}
	if err := facts.MayLeaveEtcd(); leaves && err != nil { // without Lenient the plan has failed
		list = append(list, "a real run would stop here: "+err.Error())
	}
	if e := r.Etcd; leaves && e != nil && e.Standing.Refusal != nil && e.Regardless {
		list = append(list, "this member of etcd goes although the cluster may lose its data, because of --force-data-loss:\n"+e.Standing.Refusal.Error())
	}
	if f.runs("cleanup-node") && r.ExternalCA(facts) && !r.Ours {
		list = append(list, "the certificates in "+r.CertificatesDir+" are of an external CA: they stay")
	}
	return list
}

// confirm asks on stderr and reads the answer from stdin: y, as with kubeadm, or yes.
func confirm(env *Env, out *reporter, what string) error {
	if out.json != nil {
		return cause.Refused.Mark(errors.New("cannot ask whether to go on: the output is for machines\nsay so with --force"))
	}
	out.line("%s", what)
	fmt.Fprint(env.Stderr, "Are you sure? [y/N]: ")
	answer, err := bufio.NewReader(env.Stdin).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
		return nil
	}
	if err != nil && answer == "" {
		fmt.Fprintln(env.Stderr)
	}
	return cause.Refused.Mark(errors.New("stopped, and nothing was changed: the answer was not y\nto go on without being asked: --force"))
}
