package preflight

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/systemd"
)

// What the user of an unfit machine reads, with all the hints.
func TestReportText(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config string
		spoil  func(*lab)
	}{
		{"fresh", apiHeader + "kind: InitConfiguration\nnodeRegistration: {imagePullPolicy: Never}\n", func(l *lab) {
			l.m.CPUs, l.m.Memory, l.kubelet, l.missing = 1, 1<<30, "v1.38.0", []string{"losetup"}
			l.write(swapsFile, "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 100 0 -2\n")
			l.write("/proc/sys/net/ipv4/ip_forward", "0\n")
			l.write("/var/lib/etcd/member/wal", "")
			l.take(":6443", 6443, Process{812, "haproxy"})
			l.rt.SetImages(l.c.Images()[1:]...)
			l.systemd.Set(systemd.Unit{Name: "firewalld.service", ActiveState: "active"})
		}},
		{"kubeadm", "", func(l *lab) {
			l.takeAll()
			for _, component := range staticPods {
				l.manifest(component, foreignManifest)
			}
		}},
		{"system", "", func(l *lab) {
			l.m.VerifySystem = func(string) (warnings, errs []error) {
				return nil, []error{
					errors.New("failed to parse kernel config: unable to load kernel module"),
					errors.New("cgroups v1 support is deprecated"), errors.New("unsupported operating system: Plan 9"),
				}
			}
		}},
		{"user", "", func(l *lab) { l.m.UID = 1000 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, tt.config)
			tt.spoil(l)
			report := Run(t.Context(), Init(l.c, l.m, l.resume), nil)
			text := report.Err().Error() + "\n"
			for _, f := range report.Warnings {
				text += "warning: " + f.String() + "\n"
			}
			golden(t, "testdata/"+tt.name+".golden", text)
		})
	}
}

func TestNoErr(t *testing.T) {
	r := &Report{Warnings: []Finding{{Check: "A"}}, Ignored: []Finding{{Check: "B"}}}
	if err := r.Err(); err != nil {
		t.Errorf("warnings and what is ignored make no error: %v", err)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}
