package bed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Up is what `make up` does.
type Up struct {
	Lab           string  // name of the lab
	Tool          string  // kubewright or kubeadm
	Config        string  // file with the configuration for the tool's init; empty for InitConfig with the load balancer as endpoint
	ControlPlanes int     // cp1, cp2 and so on; at least one
	Workers       int     // w1, w2 and so on
	Owner         Process // whose death makes the lab garbage; zero for a lab that stays
	Out           io.Writer
	Log           io.Writer
}

// Run boots machines and a load balancer, runs the tool's init in the first machine and its join in the others, and waits until
// the cluster is ready and runs a pod on each worker. A lab of the same name that is already up is taken down first: it is
// disposable.
func (u Up) Run(b *Builder) error {
	kit, err := b.Build()
	if err != nil {
		return err
	}
	binaries := map[string]string{}
	if u.Tool == "kubewright" {
		if binaries["kubewright"], err = b.Kubewright(); err != nil {
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
	lab, err := CreateLab(b.Cache, kit, u.Lab, u.Owner, ThisProcess())
	if err != nil {
		return err
	}
	if err := lab.StartBalancer(); err != nil {
		return err
	}
	var specs []Spec
	for i := range u.ControlPlanes {
		specs = append(specs, Spec{Name: fmt.Sprint("cp", i+1), Binaries: binaries, KubeletUnit: u.Tool == "kubeadm"})
	}
	for i := range u.Workers {
		specs = append(specs, Spec{Name: fmt.Sprint("w", i+1), Binaries: binaries, KubeletUnit: u.Tool == "kubeadm"})
	}
	machines, err := lab.BootAll(specs...)
	if err != nil {
		return err
	}
	for _, m := range machines {
		fmt.Fprintf(u.Log, "bed: %s is up at %s\n", m.Name, m.IP())
	}
	fmt.Fprintf(u.Log, "bed: booting took %s; the load balancer is at %s\n", since(start), lab.Endpoint())
	return u.cluster(lab, machines)
}

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }
