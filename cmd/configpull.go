package cmd

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubewright/kubewright/plan"
)

// pullers is how many images are pulled at the same time where that is allowed: more would only share the line.
const pullers = 4

func newImagesPull(env *Env) *cobra.Command {
	var f imageFlags
	var output string
	c := &cobra.Command{
		Use: "pull", Short: "Pull the images that a control-plane node needs, and that are not here yet", Args: takes(0, "none"),
		Long: "Pull the images that a control-plane node needs, and that are not here yet, one after the other, or several at\n" +
			"the same time where nodeRegistration.imagePullSerial of the configuration is false.",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkOutput(output, "text", "json", "yaml"); err != nil {
				return err
			}
			cfg, err := f.load(c.Context(), env, c.Flags())
			if err != nil {
				return err
			}
			atOnce := 1
			if serial := cfg.Init.NodeRegistration.ImagePullSerial; serial != nil && !*serial {
				atOnce = pullers
			}
			return f.pull(c.Context(), env, cfg.Images(), atOnce, output)
		},
	}
	f.add(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	ownFlags(c.Flags(), "output")
	c.Flags().StringVar(&f.criSocket, "cri-socket", "", "socket of the container runtime (default: the one that is there)")
	return c
}

// pull tries all images before it says which can't be had.
func (f *imageFlags) pull(ctx context.Context, env *Env, refs []string, atOnce int, output string) error {
	h := env.Machine.Host("/")
	socket := f.criSocket
	var err error
	if socket == "" {
		if socket, err = env.Machine.DetectRuntime(h); err != nil {
			return err
		}
	}
	runtime, err := env.Machine.Runtime(ctx, h, socket)
	if err != nil {
		return err
	}
	defer runtime.Close()
	out := newReporter(env, runFlags{output: output})
	out.live.start("pulling images")
	pulled := make([]bool, len(refs))
	err = plan.EachAtOnce(len(refs), atOnce, func(n int) (err error) {
		pulled[n], err = pullImage(ctx, &plan.Target{Host: h, Runtime: runtime, Progress: out.progress}, out, refs[n])
		return err
	})
	if err = out.finish(err); err == nil {
		out.result(len(slices.DeleteFunc(pulled, func(now bool) bool { return !now })), event{})
	}
	return err
}

// pullImage prints a line when the image is here, as kubeadm does, and says whether it was pulled now.
func pullImage(ctx context.Context, t *plan.Target, out *reporter, ref string) (pulled bool, err error) {
	step := plan.Image{Refs: []string{ref}}
	change, err := step.Diff(ctx, t)
	if err != nil {
		return false, err
	}
	done, pulled := "Pulled", change.Kind != plan.Same
	if !pulled {
		done = "Already here:"
	} else if err := step.Apply(ctx, t); err != nil {
		return false, err
	}
	if out.json != nil {
		out.json.step(plan.Item{Phase: "images", Step: step, Change: change})
	} else {
		out.data("[config/images] %s %s", done, ref)
	}
	return pulled, nil
}

// data prints a line to stdout without disturbing the spinner.
func (r *reporter) data(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live.clear()
	fmt.Fprintf(r.out, format+"\n", args...)
}
