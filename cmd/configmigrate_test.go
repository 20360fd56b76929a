package cmd

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/host"
)

// factMachine is a machine that knows, or does not know, what migrate fills in.
type factMachine struct {
	Machine // nil: what is not below is not to be asked
	name    string
	address string
	socket  string
}

func known(fact string) (string, error) {
	if fact == "" {
		return "", errors.New("cannot find it out")
	}
	return fact, nil
}

func (m factMachine) Host(root string) *host.Host              { return &host.Host{Root: root} }
func (m factMachine) Hostname() (string, error)                { return known(m.name) }
func (m factMachine) DefaultAddress(bool) (string, error)      { return known(m.address) }
func (m factMachine) LoopbackAddress() (string, error)         { return known("") }
func (m factMachine) DetectRuntime(*host.Host) (string, error) { return known(m.socket) }

const (
	v1beta4   = "apiVersion: kubeadm.k8s.io/v1beta4\n"
	joinsWith = v1beta4 + "kind: JoinConfiguration\ndiscovery: {file: {kubeConfigPath: /f}}\n"
)

func TestMigrateFillsIn(t *testing.T) {
	all := factMachine{name: "cp9", address: "192.0.2.9", socket: "unix:///found.sock"}
	without := func(change func(*factMachine)) factMachine {
		m := all
		change(&m)
		return m
	}
	for name, tt := range map[string]struct {
		machine factMachine
		text    string
		// want is in stdout, or, beginning with an exclamation mark, is not; says is in stderr.
		want []string
		says string
		fail bool
	}{
		"all":             {all, v1beta4 + "kind: InitConfiguration", []string{"name: cp9", "advertiseAddress: 192.0.2.9", "criSocket: unix:///found.sock"}, "", false},
		"any address":     {all, v1beta4 + "kind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: 0.0.0.0}", []string{"advertiseAddress: 192.0.2.9"}, "", false},
		"a worker":        {without(func(m *factMachine) { m.address = "" }), joinsWith, []string{"name: cp9", "!advertiseAddress"}, "", false},
		"a control plane": {all, joinsWith + "controlPlane: {}\n", []string{"advertiseAddress: 192.0.2.9"}, "", false},
		"no route": {without(func(m *factMachine) { m.address = "" }), v1beta4 + "kind: InitConfiguration", []string{"!advertiseAddress"},
			"warning: localAPIEndpoint.advertiseAddress: it is left as it is: cannot find it out", false},
		"no loopback address": {all, v1beta4 + "kind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: 127.0.0.1}", []string{"advertiseAddress: 127.0.0.1"},
			"warning: localAPIEndpoint.advertiseAddress: it is left as it is", false},
		"another machine's": {without(func(m *factMachine) { m.name = "a_b" }), v1beta4 + "kind: InitConfiguration", []string{"name: a_b"},
			"warning: what is filled in for this machine will not do: nodeRegistration.name", false},
		"no name":         {without(func(m *factMachine) { m.name = "" }), joinsWith, nil, "name the node in the file: nodeRegistration.name", true},
		"a name is given": {without(func(m *factMachine) { m.name = "" }), joinsWith + "nodeRegistration: {name: n7}\n", []string{"name: n7"}, "", false},
		"no runtime":      {without(func(m *factMachine) { m.socket = "" }), v1beta4 + "kind: ResetConfiguration", nil, "cannot find it out", true},
		"a runtime is given": {without(func(m *factMachine) { m.socket = "" }), v1beta4 + "kind: ResetConfiguration\ncriSocket: unix:///given.sock",
			[]string{"criSocket: unix:///given.sock"}, "", false},
		"nothing to know": {factMachine{}, v1beta4 + "kind: UpgradeConfiguration", []string{"etcdUpgrade: true"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			var out, said bytes.Buffer
			code := Run(t.Context(), Env{Stdin: strings.NewReader(tt.text), Stdout: &out, Stderr: &said, Machine: tt.machine},
				[]string{"config", "migrate", "--old-config", "-"})
			if (code != 0) != tt.fail || tt.fail && out.Len() > 0 || !strings.Contains(said.String(), tt.says) || tt.says == "" && said.Len() > 0 {
				t.Errorf("code %d, stdout:\n%s\nstderr:\n%s", code, &out, &said)
			}
			for _, want := range tt.want {
				text, unwanted := strings.CutPrefix(want, "!")
				if strings.Contains(out.String(), text) == unwanted {
					t.Errorf("want %s in\n%s", want, &out)
				}
			}
		})
	}
}

// A file is judged on a machine that says nothing of itself, and would not survive a question.
func TestValidateAsksNobody(t *testing.T) {
	for name, text := range map[string]string{
		"init": v1beta4 + "kind: InitConfiguration", "join": joinsWith + "controlPlane: {}\n", "reset": v1beta4 + "kind: ResetConfiguration",
		"a label": v1beta4 + "kind: ClusterConfiguration\nkubernetesVersion: stable-1.36\n",
	} {
		var out, said bytes.Buffer
		env := Env{Stdin: strings.NewReader(text), Stdout: &out, Stderr: &said, Machine: struct{ Machine }{}}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // nor does anybody in the network answer
		if code := Run(ctx, env, []string{"config", "validate", "--config", "-"}); code != 0 || out.String() != "ok\n" {
			t.Errorf("%s: exit code %d, %s%s", name, code, &out, &said)
		}
	}
}

// The new file belongs to its owner alone, also where another one was; what a link leads to is written, and what is no file is
// written to.
func TestMigrateWrites(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o644), os.Symlink("file", link)); err != nil {
		t.Fatal(err)
	}
	h := &host.Host{Root: "/"}
	for _, path := range []string{filepath.Join(dir, "new"), link, "/dev/null"} {
		if err := writeSecretly(h, path, []byte("text")); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "new"), file} {
		data, err := os.ReadFile(path)
		info, statErr := os.Lstat(path)
		if err != nil || statErr != nil || string(data) != "text" || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %q, %v, %v %v", path, data, info, err, statErr)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
	if info, err := os.Lstat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Errorf("/dev/null was replaced: %v, %v", info, err)
	}
	if err := writeSecretly(h, dir, []byte("text")); err == nil {
		t.Error("a directory was written")
	}
}
