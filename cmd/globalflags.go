package cmd

import "github.com/spf13/pflag"

// globalFlags are the flags that every command has.
type globalFlags struct {
	rootfs, vmodule string
}

func (f *globalFlags) add(env *Env, s *pflag.FlagSet) {
	s.StringVar(&f.rootfs, "rootfs", "", "run with this directory as the root of all files, by chroot(2); paths of other flags are below it")
	s.IntVarP(&env.verbose, "v", "v", 0, "`Level` of detail: 1 shows every step and why, 2 also contents")
	s.StringVar(&f.vmodule, "vmodule", "", "`moduleSpec`, accepted for kubeadm's sake: there is no log with levels for each file")
}

// enter changes the root of the process before a command runs.
func (f *globalFlags) enter(env *Env) error {
	env.entered = true
	if f.rootfs == "" {
		return nil
	}
	return env.Machine.Chroot(f.rootfs)
}
