// Command watch tells on stdout when each part of the control plane of this machine is there, whoever has made it: a line of JSON
// for each moment. It ends when all have come.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/test/bench"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: watch <file with the configuration of init>")
		os.Exit(2)
	}
	klog.SetLoggerWithOptions(klog.Logger{}, klog.ContextualLogger(true))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := watch(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
}

func watch(ctx context.Context, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	c, err := config.LoadInit(data, file)
	if err != nil {
		return err
	}
	if err := c.SetDefaults(config.Dynamic{Token: func() (string, error) { return "abcdef.0123456789abcdef", nil }}); err != nil {
		return err
	}
	list := append(phases.Moments(c, client), phases.NewMoment(bench.CoreDNS, bench.Running, coreDNS()))
	out := json.NewEncoder(os.Stdout)
	var mu sync.Mutex
	phases.WatchMoments(ctx, list, func(m phases.Moment, at time.Time) {
		mu.Lock()
		defer mu.Unlock()
		err = errors.Join(err, out.Encode(bench.Moment{Component: m.Component, Name: m.Name, UnixNano: at.UnixNano()}))
	})
	return err
}

// client has the administrator's credentials, as soon as there are some. It does not try again by itself for long.
func client() (*cluster.Client, error) {
	data, err := os.ReadFile(config.AdminKubeconfig)
	if err != nil {
		return nil, err
	}
	return cluster.New(data, cluster.Options{Read: os.ReadFile, Patience: phases.MomentPatience})
}

// coreDNS checks that its pods are there and run.
func coreDNS() func(context.Context) error {
	var api *cluster.Client
	like := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "x", Namespace: metav1.NamespaceSystem},
	}
	return func(ctx context.Context) (err error) {
		if api == nil {
			if api, err = client(); err != nil {
				return err
			}
		}
		pods, err := api.List(ctx, like, map[string]string{"k8s-app": "kube-dns"})
		if err != nil {
			return err
		}
		running := 0
		for _, pod := range pods {
			u, ok := pod.(*unstructured.Unstructured)
			if !ok {
				continue
			}
			if phase, _, _ := unstructured.NestedString(u.Object, "status", "phase"); phase == string(corev1.PodRunning) {
				running++
			}
		}
		if running < len(pods) || running == 0 {
			return fmt.Errorf("%d of %d pods run", running, len(pods))
		}
		return nil
	}
}
