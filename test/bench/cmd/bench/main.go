// Command bench runs the benchmarks on machines of the bed. Its exit code is 1 when a count is not as it must be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"k8s.io/klog/v2"

	"github.com/kubewright/kubewright/test/bed"
	"github.com/kubewright/kubewright/test/bench"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("bench join", flag.ContinueOnError)
	nodes := flags.Int("nodes", 200, "how many nodes join at once in the last round")
	if len(args) == 0 || args[0] != "join" {
		return errors.New("usage: bench join [--nodes N]")
	}
	if err := flags.Parse(args[1:]); err != nil || *nodes < 1 {
		return errors.New("usage: bench join [--nodes N]")
	}
	klog.SetLoggerWithOptions(klog.Logger{}, klog.ContextualLogger(true)) // client-go: what fails is in the report
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cache, err := bed.OpenCache()
	if err != nil {
		return err
	}
	repo, err := bed.RepoRoot()
	if err != nil {
		return err
	}
	j := bench.Join{Rounds: rounds(*nodes), Log: os.Stderr}
	report, err := j.Run(ctx, &bed.Builder{Cache: cache, Repo: repo, Log: os.Stderr})
	if report != nil {
		fmt.Print(report.Text())
		err = errors.Join(err, report.Save(filepath.Join(repo, "test/bench/out"), "join"))
	}
	if err != nil {
		return err
	}
	if problems := report.Problems(); problems != nil {
		return errors.New(strings.Join(problems, "\n"))
	}
	return nil
}

// rounds are some smaller numbers and then n, so that it is seen whether the cost of a join grows.
func rounds(n int) []int {
	var list []int
	for _, smaller := range []int{10, 50, 100} {
		if smaller < n {
			list = append(list, smaller)
		}
	}
	return append(list, n)
}
