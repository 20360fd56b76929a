package corpus

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Both tools judge every document alike, but for what differences says, and write the same of what they take.
func TestVerdicts(t *testing.T) {
	k := findKubeadm(t)
	skipWithoutFacts(t)
	docs := documents(t, 12)
	dir := openDir(t)
	var mu sync.Mutex
	used, judged, taken := map[int]int{}, 0, 0
	t.Run("documents", func(t *testing.T) {
		for i, d := range docs {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(dir, strings.NewReplacer("/", "-", " ", "-").Replace(d.name)+".yaml")
				if err := os.WriteFile(file, []byte(d.text), 0o644); err != nil {
					t.Fatal(err)
				}
				theirs := k.migrate(t, file)
				ours := kubewright(t.Context(), d.text, "config", "migrate", "--allow-experimental-api", "--old-config", "-")
				if i%8 == 0 {
					d.sameAsValidate(t, k, file, theirs, ours)
				}
				rows := d.judge(t, theirs, ours)
				if theirs.ok && ours.ok {
					d.compare(t, theirs.text, ours.text)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, row := range rows {
					used[row]++
				}
				if judged++; ours.ok {
					taken++
				}
			})
		}
	})
	t.Logf("%d documents, of which %d are right", judged, taken)
	for i, d := range differences {
		if used[i] == 0 && judged > 2000 {
			t.Errorf("there is no difference %q any more (%s%s)", d.row, d.ours, d.kubeadm)
		}
	}
}

func (k *kubeadm) migrate(t *testing.T, file string) said {
	t.Helper()
	return k.run(t, []string{"HTTPS_PROXY=" + nobody}, "config", "migrate", "--allow-experimental-api", "--old-config", file)
}

// sameAsValidate: each tool judges a file alike, whichever command is asked.
func (d document) sameAsValidate(t *testing.T, k *kubeadm, file string, theirs, ours said) {
	t.Helper()
	if v := k.run(t, []string{"HTTPS_PROXY=" + nobody}, "config", "validate", "--allow-experimental-api", "--config", file); v.ok != theirs.ok {
		t.Errorf("kubeadm config validate says %v %s, migrate says %v %s", v.ok, v.error, theirs.ok, theirs.error)
	}
	v := kubewright(t.Context(), d.text, "config", "validate", "--allow-experimental-api", "--config", "-")
	if v.ok != ours.ok || v.error != ours.error || v.ok && v.text != "ok\n" {
		t.Errorf("validate says %v %s, migrate says %v %s", v.ok, v.error, ours.ok, ours.error)
	}
}

// judge compares the verdicts, and returns the differences that explain another one.
func (d document) judge(t *testing.T, theirs, ours said) (rows []int) {
	t.Helper()
	switch {
	case !theirs.ok && !ours.ok && d.field != "" && d.field != "value": // values of arguments are named by the argument
		if !strings.Contains(ours.error, d.field) {
			t.Errorf("the complaint does not name the field %s: %s\nkubeadm: %s", d.field, ours.error, theirs.error)
		}
	case theirs.ok && !ours.ok:
		for line := range strings.SplitSeq(strings.TrimPrefix(ours.error, "cannot use the configuration: "), "\n") {
			row := find(func(r difference) bool { return r.ours != "" && r.pattern().MatchString(line) })
			if row < 0 && !strings.HasPrefix(line, "  ") {
				t.Errorf("kubeadm takes it, kubewright does not: %s\n%s", line, d.text)
				continue
			}
			rows = append(rows, row)
		}
	case !theirs.ok && ours.ok:
		row := find(func(r difference) bool { return r.kubeadm != "" && r.pattern().MatchString(theirs.error) })
		if row < 0 {
			t.Errorf("kubewright takes it, kubeadm does not: %s\n%s", theirs.error, d.text)
		}
		rows = append(rows, row)
	}
	return rows
}

func find(is func(difference) bool) int {
	for i, d := range differences {
		if is(d) {
			return i
		}
	}
	return -1
}

var (
	tokenLine        = regexp.MustCompile(`(?m)^(  token: )[a-z0-9]{6}\.[a-z0-9]{16}$`)
	defaultAlgorithm = regexp.MustCompile(`(?m)^encryptionAlgorithm: (RSA-2048|ECDSA-P256)\n`)
	pin              = regexp.MustCompile(`sha256:[0-9a-fA-F]{64}`)
	pkiLine          = regexp.MustCompile(`(?m)^certificatesDir: /etc/kubernetes/pki\n`)
	mergeLine        = regexp.MustCompile(`(?m)^( *)- mergeMethod: .*\n *`)
)

// compare compares what both have written, but for what docs/differences.md says of migrate.
func (d document) compare(t *testing.T, theirs, ours string) {
	t.Helper()
	kubeadm, kubewright := strings.Split(theirs, "---\n"), strings.Split(ours, "---\n")
	if theirs == "" {
		kubeadm = nil
	}
	for i, text := range kubewright {
		if !strings.Contains(text, "apiVersion: kubeadm.k8s.io/") {
			kubewright = kubewright[:i] // component configurations come last
			break
		}
		kubewright[i] = mergeLine.ReplaceAllString(strings.ReplaceAll(text, "apiVersion: kubeadm.k8s.io/v1\n", "apiVersion: kubeadm.k8s.io/v1beta4\n"), "$1- ")
	}
	for _, docs := range [][]string{kubeadm, kubewright} {
		for i, text := range docs {
			text = tokenLine.ReplaceAllStringFunc(text, func(line string) string {
				if strings.Contains(d.text, strings.TrimPrefix(line, "  token: ")) {
					return line
				}
				return "  token: random"
			})
			if !strings.Contains(d.text, "RSA-2048") && !strings.Contains(d.text, "ECDSA-P256") {
				text = defaultAlgorithm.ReplaceAllString(text, "")
			}
			if strings.Contains(d.text, "kubernetesVersion: ci/") {
				text = strings.ReplaceAll(text, "kubernetesVersion: ci/", "kubernetesVersion: ")
			}
			text = pin.ReplaceAllStringFunc(text, strings.ToLower)
			if strings.Contains(text, "kind: ResetConfiguration") && !strings.Contains(d.text, "certificatesDir: /etc/kubernetes/pki") {
				text = pkiLine.ReplaceAllString(text, "")
			}
			docs[i] = text
		}
	}
	if diff := cmp.Diff(strings.Join(kubeadm, "---\n"), strings.Join(kubewright, "---\n")); diff != "" {
		t.Errorf("-kubeadm +kubewright\n%s\nof\n%s", diff, d.text)
	}
}
