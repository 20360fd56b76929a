package manifests

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func TestWithHash(t *testing.T) {
	for _, tc := range []struct{ name, manifest, want string }{
		{
			"ours", "# mine\nmetadata:\n  annotations:\n    a/b: c\n    kubewright.io/mounted-files-hash: old\n  name: x # keep\nspec: {}\n",
			"# mine\nmetadata:\n  annotations:\n    a/b: c\n    kubewright.io/mounted-files-hash: new\n  name: x # keep\nspec: {}\n",
		},
		{
			"another tool's", "metadata:\n  creationTimestamp: null\n  annotations:\n      a/b: c\n  name: x\n",
			"metadata:\n  creationTimestamp: null\n  annotations:\n      kubewright.io/renewed-files-hash: new\n      a/b: c\n  name: x\n",
		},
		{
			"renewed before", "metadata:\n  annotations:\n    kubewright.io/renewed-files-hash: \"old\"\n  name: x\n",
			"metadata:\n  annotations:\n    kubewright.io/renewed-files-hash: new\n  name: x\n",
		},
		{
			"without annotations", "---\nkind: Pod\nmetadata:\n    # the name\n    name: x\nspec: {}",
			"---\nkind: Pod\nmetadata:\n    # the name\n    annotations:\n      kubewright.io/renewed-files-hash: new\n    name: x\nspec: {}",
		},
		{
			"with none in it", "# mine\nmetadata:\n  annotations: {}\n  name: x\n",
			"# mine\nmetadata:\n  annotations:\n    kubewright.io/renewed-files-hash: new\n  name: x\n",
		},
		{
			"with nothing in it", "# mine\nmetadata:\n  annotations:\n  name: x\n",
			"# mine\nmetadata:\n  annotations:\n    kubewright.io/renewed-files-hash: new\n  name: x\n",
		},
		{"JSON", `{"metadata": {"name": "x"}}`, "metadata:\n  annotations:\n    kubewright.io/renewed-files-hash: new\n  name: x\n"},
		{
			"on one line", "metadata: {annotations: {kubewright.io/mounted-files-hash: old}, name: x}\n",
			"metadata:\n  annotations:\n    kubewright.io/mounted-files-hash: new\n  name: x\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := WithHash([]byte(tc.manifest), "new")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Error(diff)
			}
			again, err := WithHash(got, "new")
			if err != nil || string(again) != string(got) {
				t.Errorf("twice is not the same as once: %v\n%s", err, again)
			}
		})
	}
	for _, bad := range []string{"", "a: [", "kind: Pod\n", "metadata: text\n", "[]"} {
		if got, err := WithHash([]byte(bad), "new"); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

// TestFilesOfKubeadm finds in kubeadm's manifests the files that ours would have hashed.
func TestFilesOfKubeadm(t *testing.T) {
	data, err := os.ReadFile("testdata/kubeadm/defaults/etcd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := yaml.Unmarshal(data, pod); err != nil {
		t.Fatal(err)
	}
	const pki = "/etc/kubernetes/pki/etcd/"
	want := []string{pki + "ca.crt", pki + "peer.crt", pki + "peer.key", pki + "server.crt", pki + "server.key"}
	if diff := cmp.Diff(want, FilesOf(pod.Spec.Containers[0].Command)); diff != "" {
		t.Error(diff)
	}
	changed, err := WithHash(data, "0123")
	if err != nil {
		t.Fatal(err)
	}
	added := "    " + RenewedAnnotation + ": \"0123\"\n"
	if len(changed) != len(data)+len(added) || strings.Replace(string(changed), added, "", 1) != string(data) {
		t.Errorf("more than one line differs:\n%s", cmp.Diff(string(data), string(changed)))
	}
}
