package corpus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The documents to begin with are kubeadm's, but for the two defaults that docs/differences.md names.
func TestPrintedDefaults(t *testing.T) {
	k := findKubeadm(t)
	for _, args := range []string{
		"init-defaults", "join-defaults", "reset-defaults", "upgrade-defaults",
		"init-defaults --component-configs KubeletConfiguration", "init-defaults --component-configs KubeProxyConfiguration,KubeletConfiguration",
		"init-defaults --component-configs Nonsense", "join-defaults --component-configs KubeletConfiguration", "nonsense",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			words := append([]string{"config", "print"}, strings.Fields(args)...)
			theirs, ours := k.run(t, nil, words...), kubewright(t.Context(), "", words...)
			want := strings.NewReplacer("RSA-2048", "ECDSA-P256", "kubernetesVersion: 1.37.0", "kubernetesVersion: v1.37.2").Replace(theirs.text)
			if !theirs.ok {
				want = "" // it prints its usage
			}
			if diff := cmp.Diff(want, ours.text); theirs.ok != ours.ok || ours.ok && diff != "" {
				t.Errorf("kubeadm says %v %s, kubewright %v %s, -kubeadm +kubewright\n%s", theirs.ok, theirs.error, ours.ok, ours.error, diff)
			}
		})
	}
}

// The images are kubeadm's, in every form and of every kind of cluster.
func TestImagesList(t *testing.T) {
	k := findKubeadm(t)
	dir := openDir(t)
	const head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: "
	files := map[string]string{
		"plain": head + "v1.36.3\n", "external": head + "v1.37.0\netcd: {external: {endpoints: ['https://a:1'], caFile: /a, certFile: /b, keyFile: /c}}\n",
		"own":      head + "v1.37.1\nimageRepository: a.example.com/b\ndns: {imageTag: v1}\netcd: {local: {dataDir: /e, imageRepository: c/d, imageTag: '3'}}\n",
		"disabled": head + "v1.37.2\nproxy: {disabled: true}\ndns: {disabled: true}\n", "build": head + "v1.37.2-rc.0.1+abc\n",
		"ci": head + "ci/v1.37.0-rc.0.1+abc\n", "bad": head + "v1.37.2\nimageRepository: https://a\n",
	}
	commands := []string{
		"--kubernetes-version v1.37.2", "--kubernetes-version 1.36.0 --image-repository a/b", "--kubernetes-version v1.37.2 --feature-gates RootlessControlPlane=true",
		"--kubernetes-version v1.37.2 --feature-gates Nonsense=true", "--kubernetes-version v1.35.0", "--kubernetes-version nonsense",
		"--kubernetes-version v1.37.2 -o xml", "--config " + filepath.Join(dir, "missing"),
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		commands = append(commands, "--config "+file)
	}
	for _, form := range []string{
		"json", "yaml", "kyaml", "text", "jsonpath={.images[*]}", "jsonpath-as-json={.images[0]}", "go-template={{range.images}}{{.}};{{end}}", "jsonpath={.none}",
	} {
		commands = append(commands, "--kubernetes-version v1.37.2 -o "+form)
	}
	for _, args := range commands {
		t.Run(strings.ReplaceAll(args, dir+"/", ""), func(t *testing.T) {
			t.Parallel()
			words := append([]string{"config", "images", "list"}, strings.Fields(args)...)
			theirs, ours := k.run(t, []string{"HTTPS_PROXY=" + nobody}, words...), kubewright(t.Context(), "", words...)
			if diff := cmp.Diff(theirs.text, ours.text); theirs.ok != ours.ok || ours.ok && diff != "" {
				t.Errorf("kubeadm says %v %s, kubewright %v %s, -kubeadm +kubewright\n%s", theirs.ok, theirs.error, ours.ok, ours.error, diff)
			}
		})
	}
}
