package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// sandbox is a pod as the kubelet makes it; its name and UID are made of its ID.
func sandbox(id, namespace, source string, created int64) *runtimev1.PodSandbox {
	return &runtimev1.PodSandbox{Id: id, CreatedAt: created, Annotations: map[string]string{sourceAnnotation: source},
		Labels: map[string]string{podNameLabel: id + "-cp1", namespaceLabel: namespace, podUIDLabel: "uid-" + id}}
}

func TestPods(t *testing.T) {
	s := &server{pods: []*runtimev1.PodSandbox{
		sandbox("etcd", "kube-system", "file", 5), sandbox("coredns", "kube-system", "api", 6), sandbox("own", "default", "file", 7),
		{Id: "crictl", Labels: map[string]string{"app": "x"}},
	}}
	// What lacks one of the kubelet's marks is not the kubelet's.
	for _, mark := range []string{podNameLabel, namespaceLabel, podUIDLabel, sourceAnnotation} {
		pod := sandbox("without "+mark, "kube-system", "file", 1)
		delete(pod.Labels, mark)
		delete(pod.Annotations, mark)
		s.pods = append(s.pods, pod)
	}
	_, r := open(t, s)
	etcd := Pod{ID: "etcd", Name: "etcd-cp1", Namespace: "kube-system", UID: "uid-etcd", Static: true, CreatedAt: 5}
	pods, err := r.StaticPods(t.Context())
	if diff := cmp.Diff([]Pod{etcd}, pods); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
	pods, err = r.KubeletPods(t.Context())
	want := []Pod{etcd, {ID: "coredns", Name: "coredns-cp1", Namespace: "kube-system", UID: "uid-coredns", CreatedAt: 6},
		{ID: "own", Name: "own-cp1", Namespace: "default", UID: "uid-own", Static: true, CreatedAt: 7}}
	if diff := cmp.Diff(want, pods); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
}

func TestRemovePod(t *testing.T) {
	s := &server{containers: []*runtimev1.Container{
		{Id: "c1", PodSandboxId: "etcd", State: runtimev1.ContainerState_CONTAINER_RUNNING},
		{Id: "c2", PodSandboxId: "etcd", State: runtimev1.ContainerState_CONTAINER_EXITED},
		{Id: "c3", PodSandboxId: "coredns", State: runtimev1.ContainerState_CONTAINER_RUNNING},
	}}
	_, r := open(t, s)
	if err := r.RemovePod(t.Context(), "etcd"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"stop container c1 in 10 s", "stop pod etcd", "remove pod etcd"}, s.calls); diff != "" {
		t.Error(diff)
	}
	if err := r.RemovePod(t.Context(), "busy"); err == nil || !strings.Contains(err.Error(), "cannot remove pod busy: device busy") {
		t.Errorf("%v", err)
	}
}

// Many pods are removed at the same time, and those that can't be removed do not keep the others.
func TestRemovePodsAtOnce(t *testing.T) {
	s := &server{}
	_, r := open(t, s)
	var failed sync.Map
	var all sync.WaitGroup
	for i := range 50 {
		id := fmt.Sprint("pod", i)
		if i == 7 {
			id = "busy"
		}
		all.Go(func() {
			if err := r.RemovePod(t.Context(), id); err != nil {
				failed.Store(id, err)
			}
		})
	}
	all.Wait()
	var ids []string
	failed.Range(func(id, err any) bool { ids = append(ids, fmt.Sprint(id, ": ", err)); return true })
	if diff := cmp.Diff([]string{"busy: cannot remove pod busy: device busy"}, ids); diff != "" {
		t.Error(diff)
	}
	removed := slices.DeleteFunc(s.calls, func(call string) bool { return !strings.HasPrefix(call, "remove pod ") })
	slices.Sort(removed)
	if removed = slices.Compact(removed); len(removed) != 50 {
		t.Errorf("%d pods removed", len(removed))
	}
}

// The containers of a pod share their time to end: one that takes all of it leaves as much to the others.
func TestRemovePodStopsAtOnce(t *testing.T) {
	s := &server{}
	var waiting sync.WaitGroup
	for i := range 8 {
		s.containers = append(s.containers, &runtimev1.Container{Id: fmt.Sprint(i), PodSandboxId: "p", State: runtimev1.ContainerState_CONTAINER_RUNNING})
		waiting.Add(1)
	}
	s.stopping = func() { waiting.Done(); waiting.Wait() } // each waits until all were asked
	_, r := open(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.RemovePod(ctx, "p"); err != nil || len(s.calls) != 10 || s.calls[9] != "remove pod p" {
		t.Errorf("%v after %q", err, s.calls)
	}
}
