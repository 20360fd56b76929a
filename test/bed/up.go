package bed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Up is what `make up` does.
type Up struct {
	Lab    string // name of the lab
	Tool   string // kubewright or kubeadm
	Config string // file with the configuration for the tool; empty for InitConfig
	Out    io.Writer
	Log    io.Writer
}

// Run boots a machine, runs the tool's init in it and waits until the cluster is ready. A lab of the same name that is
// already up is taken down first: it is disposable.
func (u Up) Run(b *Builder) error {
	kit, err := b.Build()
	if err != nil {
		return err
	}
	spec := Spec{Name: "cp1", Binaries: map[string]string{}, KubeletUnit: u.Tool == "kubeadm"}
	if u.Tool == "kubewright" {
		if spec.Binaries["kubewright"], err = b.Kubewright(); err != nil {
			return err
		}
	}
	if old, err := OpenLab(b.Cache, u.Lab); err == nil {
		fmt.Fprintf(u.Log, "bed: lab %s is up already; replacing it\n", u.Lab)
		if err := old.Down(); err != nil {
			return err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	start := time.Now()
	lab, err := CreateLab(b.Cache, kit, u.Lab, Process{})
	if err != nil {
		return err
	}
	m, err := lab.Boot(spec)
	if err != nil {
		return err
	}
	fmt.Fprintf(u.Log, "bed: %s is up at %s after %s\n", m.Name, m.IP(), since(start))
	return u.init(m)
}

func (u Up) init(m *Machine) error {
	config := InitConfig(m)
	if u.Config != "" {
		data, err := os.ReadFile(u.Config)
		if err != nil {
			return err
		}
		config = string(data)
	}
	if err := os.WriteFile(m.Path("/root/init.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	args := []string{u.Tool, "init", "--config", "/root/init.yaml"}
	if u.Tool == "kubeadm" {
		args = append(args, "--ignore-preflight-errors=SystemVerification")
	}
	start := time.Now()
	cmd := m.Command(args...)
	cmd.Stdout, cmd.Stderr = u.Log, u.Log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot run %s init (look around with `make shell`): %w", u.Tool, err)
	}
	fmt.Fprintf(u.Log, "bed: %s init took %s\n", u.Tool, since(start))
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := m.WaitReady(ctx, u.Log); err != nil {
		return err
	}
	fmt.Fprintf(u.Log, "bed: the cluster is ready, %s after init began\n", since(start))
	return u.closing(ctx, m)
}

// closing shows the cluster and how to get at it.
func (u Up) closing(ctx context.Context, m *Machine) error {
	data, err := os.ReadFile(m.Path(AdminConf))
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(m.lab.dir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, data, 0o600); err != nil {
		return err
	}
	cmd := m.KubectlCommand(ctx, "get", "nodes,pods", "-A", "-o", "wide")
	cmd.Stdout, cmd.Stderr = u.Out, u.Log
	if err := cmd.Run(); err != nil {
		return err
	}
	fmt.Fprintf(u.Log, "\nA shell in the machine:   make shell NODE=%s\nkubectl:                  make kubectl ARGS=\"get nodes\"\n"+
		"From this host:           export KUBECONFIG=%s\nEverything gone again:    make down\n", m.Name, kubeconfig)
	return nil
}

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }
