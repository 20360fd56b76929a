// Command bench runs the benchmarks on machines of the bed. Its exit code is 1 when a count is not as it must be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

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

const usage = "usage: bench all [--pairs N] | bench join [--nodes N]"

func run(args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the usage says it
	nodes := flags.Int("nodes", 200, "how many nodes join at once in the last round")
	pairs := flags.Int("pairs", 10, "how often each tool makes a control plane")
	if len(args) == 0 || flags.Parse(args[1:]) != nil || flags.NArg() > 0 || *nodes < 1 || *pairs < 1 {
		return errors.New(usage)
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
	b, out := &bed.Builder{Cache: cache, Repo: repo, Log: os.Stderr}, filepath.Join(repo, "test/bench/out")
	switch args[0] {
	case "all":
		return all(ctx, b, *pairs, out)
	case "join":
		return join(ctx, b, *nodes, out)
	}
	return errors.New(usage)
}

// all compares the tools. What was measured before something failed is kept.
func all(ctx context.Context, b *bed.Builder, pairs int, out string) error {
	report := &bench.Report{Machine: bench.MachineKind(), Date: time.Now().UTC().Format(time.DateOnly)}
	var err error
	if report.Small, err = bench.MeasureSmall(b); err == nil {
		report.Inits, err = bench.Init{Pairs: pairs, Log: os.Stderr}.Run(ctx, b)
	}
	if err == nil {
		report.Joins, err = bench.Joins{Workers: pairs, ControlPlanes: (pairs + 1) / 2, Log: os.Stderr}.Run(ctx, b)
	}
	fmt.Print(report.Text())
	return errors.Join(err, report.Save(out))
}

func join(ctx context.Context, b *bed.Builder, nodes int, out string) error {
	report, err := bench.Join{Rounds: rounds(nodes), Log: os.Stderr}.Run(ctx, b)
	if report != nil {
		fmt.Print(report.Text())
		err = errors.Join(err, report.Save(out, "join"))
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
