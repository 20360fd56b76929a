package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// TestJoinReplace takes the last of three control planes away for good. A new machine gets its name when the user says so, and not
// before; etcd has three members again.
func TestJoinReplace(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	lab.LoadBalancer(t)
	machines := lab.MachinesAtOnce(t, bed.Spec{Name: "cp1"}, bed.Spec{Name: "cp2"}, bed.Spec{Name: "cp3"}, bed.Spec{Name: "new"})
	cp, fresh := machines[0], machines[3]
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(lab.Endpoint())), 0o600)
	_, args := bed.ReadJoin(cp.MustRun(t, "kubewright", "init", "--config", configPath, "--upload-certs"))
	if args == nil {
		t.Fatal("init printed no join command for control planes")
	}
	for _, m := range machines[1:3] {
		joinNow(t, m, args...)
	}
	voters(t, cp, 3)
	if err := machines[2].PowerOff(); err != nil {
		t.Fatal(err)
	}
	args = append(args, "--node-name", "cp3")
	// The cluster takes 40 seconds to see that a node is gone; until then its name is that of a good one.
	eventually(t, 3*time.Minute, func() string {
		r := run(fresh, append([]string{"kubewright", "join"}, args...)...)
		switch {
		case r.code == 0:
			t.Fatalf("joined without consent:\n%s", r.out)
		case strings.Contains(r.err, "--replace-node cp3"):
			return ""
		}
		return "no hint: " + r.err
	})
	voters(t, cp, 3)
	joinNow(t, fresh, append(args, "--replace-node", "cp3")...)
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		nodeReady(t, cp, name)
	}
	voters(t, cp, 3)
}
