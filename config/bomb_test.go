package config

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A small file does not become a large one by what it repeats or by how deep it goes.
func TestBombs(t *testing.T) {
	const head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
	var laughs, wide strings.Builder
	laughs.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), i-1)
	}
	fmt.Fprintf(&wide, "long: &long %s\nmany: [%s*long]\n", strings.Repeat("x", 10_000), strings.Repeat("*long,", 10_000))
	for name, text := range map[string]string{
		"laughs": laughs.String(),
		"wide":   wide.String(),
		"merged": "a: &a {b: c}\nd: {<<: [" + strings.Repeat("*a,", 10_000) + "*a]}\n",
		"deep":   "a: " + strings.Repeat("[", 20_000),
		"itself": "a: &a [*a]\n",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := LoadInit([]byte(head+text), "bomb.yaml"); err == nil || len(err.Error()) > 10_000 {
				t.Errorf("got an error of %d bytes", len(fmt.Sprint(err)))
			}
			if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 256<<20 {
				t.Errorf("took %d MiB", (after.TotalAlloc-before.TotalAlloc)>>20)
			}
		})
	}
}
