package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubewright/kubewright/test/bed"
)

// roundTime bounds the joins of one round.
const roundTime = 10 * time.Minute

// Round is so many joins at once.
type Round struct {
	Nodes int
	// Requests are kubewright's of all joins, and PerJoin their mean.
	Requests int
	PerJoin  float64
	Kinds    []Kind
	// Seconds are the times of the joins.
	Seconds  Distribution
	Failures []string
}

// round lets n nodes join at the same moment, and removes them.
func (j Join) round(ctx context.Context, cp *bed.Machine, args []string, n int) (r Round, err error) {
	fmt.Fprintf(j.Log, "bench: %d joins at once\n", n)
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	dir, err := os.MkdirTemp(disk(), "kubewright-bench-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for temporary files
	before, err := cp.Audit()
	if err != nil {
		return r, err
	}
	prefix := fmt.Sprintf("sim%d-", n)
	nodes := make([]*node, n)
	for i := range nodes {
		name := fmt.Sprint(prefix, i+1)
		if nodes[i], err = newNode(ctx, filepath.Join(dir, name), name, i); err != nil {
			return r, err
		}
	}
	times, errs := make([]time.Duration, n), make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i, m := range nodes {
		all.Go(func() {
			<-start
			times[i], errs[i] = m.join(ctx, args)
		})
	}
	close(start)
	all.Wait()
	cancel() // of the kubelets
	for _, m := range nodes {
		m.running.Wait()
	}
	r = Round{Nodes: n, Seconds: DistributionOf(times)}
	for _, err := range errs {
		if err != nil {
			r.Failures = append(r.Failures, err.Error())
		}
	}
	remove, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	if err := removeNodes(remove, cp); err != nil {
		return r, err
	}
	after, err := cp.Audit() // when the nodes are removed, all of their requests are written down
	if err != nil {
		return r, err
	}
	requests := RequestsOf("kubewright", after[len(before):])
	r.Requests, r.PerJoin, r.Kinds = len(requests), float64(len(requests))/float64(n), Kinds(requests, prefix)
	return r, nil
}

// disk is where the nodes' files are: in memory where that is possible, as they would not share a disk.
func disk() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// removeNodes takes away what the stand-ins have left in the cluster, so that the next round finds it as this one did.
func removeNodes(ctx context.Context, cp *bed.Machine) error {
	c, err := clientcmd.BuildConfigFromFlags("", cp.Path(bed.AdminConf))
	if err != nil {
		return err
	}
	c.UserAgent = "bench"
	client, err := kubernetes.NewForConfig(c)
	if err != nil {
		return err
	}
	ours := metav1.ListOptions{LabelSelector: simulated}
	return errors.Join(
		client.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, ours),
		client.CoordinationV1().Leases("kube-node-lease").DeleteCollection(ctx, metav1.DeleteOptions{}, ours),
		client.CertificatesV1().CertificateSigningRequests().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}),
	)
}
