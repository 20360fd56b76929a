package config

import (
	"os"
	"path/filepath"
	"testing"
)

// Whatever the text, reading it ends without a panic; what is read can be defaulted, judged and written, and what is right
// is still right after it was written.
func FuzzLoadInit(f *testing.F) {
	seed(f, "good", "bad")
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("<<: {apiVersion: kubeadm.k8s.io/v1beta4, kind: InitConfiguration, x: 1}\n"))
	f.Add([]byte("? [complex]\n: key\n---\n? {a: b}\n: 1\n"))
	f.Add([]byte("\xef\xbb\xbfapiVersion: kubeadm.k8s.io/v1beta4\r\nkind: ClusterConfiguration\r\n---\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := LoadInit(text, "fuzz.yaml")
		if err != nil {
			return
		}
		if err := c.SetDefaults(machine()); err != nil {
			t.Fatal(err)
		}
		if c.Validate() != nil {
			return
		}
		c.Images()
		c.NodeKubelet()
		out, err := c.InitYAML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := LoadInit(out, "written.yaml")
		if err != nil {
			t.Fatalf("cannot read what was written: %v\n%s", err, out)
		}
		if err := back.SetDefaults(machine()); err != nil {
			t.Fatal(err)
		}
		if err := back.Validate(); err != nil {
			t.Fatalf("what was written is wrong: %v\n%s", err, out)
		}
	})
}

// seed gives all files of the folders to begin with.
func seed(f *testing.F, folders ...string) {
	for _, folder := range folders {
		found, err := filepath.Glob("testdata/" + folder + "/*.*")
		if err != nil || len(found) == 0 {
			f.Fatalf("no test data in %s: %v", folder, err)
		}
		for _, file := range found {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
}

// FuzzLoadJoin is FuzzLoadInit for join.
func FuzzLoadJoin(f *testing.F) {
	seed(f, "join-good", "join-bad")
	f.Fuzz(func(t *testing.T, text []byte) {
		j, err := loadJoin(string(text), "fuzz.yaml")
		if err != nil {
			return
		}
		out, err := j.JoinYAML()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := loadJoin(string(out), "written.yaml"); err != nil {
			t.Fatalf("what was written is wrong: %v\n%s", err, out)
		}
	})
}

// Whatever a cluster keeps, reading it ends without a panic, and what is read can be used for a kubelet.
func FuzzWith(f *testing.F) {
	for _, folder := range []string{"kubeadm-1.36", "own"} {
		var texts [3][]byte
		for i, name := range []string{"kubeadm-config", "kubelet-config", "kube-proxy"} {
			texts[i], _ = os.ReadFile(storedFolder + "/" + folder + "/" + name + ".yaml")
		}
		f.Add(texts[0], texts[1], texts[2], false)
		f.Add(texts[0], texts[1], texts[2], true)
	}
	f.Fuzz(func(t *testing.T, cluster, kubelet, proxy []byte, controlPlane bool) {
		c, err := joining(t, controlPlane).With(cluster, kubelet, proxy)
		if err != nil {
			return
		}
		c.Images()
		c.NodeKubelet()
		c.JoinEndpoint()
		if _, err := c.InitYAML(); err != nil {
			t.Fatal(err)
		}
	})
}

// What is migrated can be migrated again and stays the same, whatever commands the file is for.
func FuzzMigrate(f *testing.F) {
	seed(f, "migrate", "upgrade-good", "upgrade-bad", "good", "join-good", "reset-good")
	migrate := func(text []byte) ([]byte, error) {
		file, err := LoadFile(text, "fuzz.yaml", true)
		if err != nil {
			return nil, err
		}
		if err := file.SetDefaults(file.StandIn(machine().Token)); err != nil {
			return nil, err
		}
		if err := file.Validate(); err != nil {
			return nil, err
		}
		out, _, err := file.Migrate()
		return out, err
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		once, err := migrate(text)
		if err != nil {
			return
		}
		twice, err := migrate(once)
		if err != nil || string(once) != string(twice) {
			t.Fatalf("%v\n%s\nbecame\n%s", err, once, twice)
		}
	})
}

// FuzzLoadReset is FuzzLoadInit for reset.
func FuzzLoadReset(f *testing.F) {
	seed(f, "reset-good", "reset-bad")
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := loadReset(string(text), "fuzz.yaml")
		if err != nil {
			return
		}
		if _, err := loadReset(resetText(t, r), "written.yaml"); err != nil {
			t.Fatalf("what was written is wrong: %v\n%s", err, resetText(t, r))
		}
	})
}
