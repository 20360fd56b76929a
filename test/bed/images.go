package bed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// ToolImage holds busybox and the component tool, for pods of tests.
const ToolImage = "registry.k8s.io/e2e/tool:1"

// imageSpec is what the images component reads.
type imageSpec struct {
	Name       string   `json:"name"`
	Layers     []string `json:"layers"`
	Entrypoint []string `json:"entrypoint"`
	Arch       string   `json:"arch"`
}

// proxyPackages are the Debian packages whose files kube-proxy's image needs: it runs iptables, nft and conntrack.
var proxyPackages = []string{
	"libc6", "iptables", "libxtables12", "libip4tc2", "libip6tc2", "libmnl0", "libnftnl11", "libnfnetlink0",
	"libnetfilter-conntrack3", "nftables", "libnftables1", "libjansson4", "libgmp10", "libedit2", "libbsd0", "libmd0",
	"libtinfo6", "conntrack", "kmod", "libkmod2", "liblzma5", "libssl3", "libzstd1",
}

// layer is a tar file made of a folder that lay fills.
func layer(dir, name string, lay func(root string) error) (string, error) {
	root := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Join(root, "usr/local/bin"), 0o755); err != nil {
		return "", err
	}
	if err := lay(root); err != nil {
		return "", fmt.Errorf("cannot lay out layer %s: %w", name, err)
	}
	out := root + ".tar"
	return out, runQuiet(exec.Command("tar", "-C", root, "--owner=0", "--group=0", "--numeric-owner", "-cf", out, "."))
}

// programs is a layer with one binary and links to it under other names.
func programs(dir, bin, name, at string, links ...string) (string, error) {
	return layer(dir, name, func(root string) error {
		to := filepath.Join(root, at, name)
		if err := runQuiet(exec.Command("cp", bin, to)); err != nil {
			return err
		}
		for _, l := range links {
			if err := os.Symlink(name, filepath.Join(root, at, l)); err != nil {
				return err
			}
		}
		return nil
	})
}

// archive writes all images that a cluster and the tests need into one file.
func archive(dir, rootfs string, bins map[string]string, out string) error {
	const local = "usr/local/bin"
	var err error
	layers := map[string]string{}
	make := func(name, at string, links ...string) {
		if err == nil {
			layers[name], err = programs(dir, bins[name], name, at, links...)
		}
	}
	make("k8s", local, "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
	make("etcd", local, "etcdctl")
	make("pause", "")
	make("coredns", "")
	if err != nil {
		return err
	}
	if layers["proxy"], err = layer(dir, "proxy", func(root string) error { return proxyFiles(root, rootfs) }); err != nil {
		return err
	}
	busybox := func(root string) error {
		return runQuiet(exec.Command("sh", "-c", `mkdir -p "$2/bin" "$2/tmp" "$2/etc" && cp "$1/bin/busybox" "$2/bin/" &&
			for a in $("$1/bin/busybox" --list); do [ $a = busybox ] || ln -s busybox "$2/bin/$a"; done
			cp "$3" "$2/bin/tool"`, "sh", rootfs, root, bins["tool"]))
	}
	if layers["tool"], err = layer(dir, "tool", busybox); err != nil {
		return err
	}
	image := func(name string, entrypoint string, parts ...string) imageSpec {
		spec := imageSpec{Name: "registry.k8s.io/" + name, Arch: runtime.GOARCH}
		if entrypoint != "" {
			spec.Entrypoint = []string{entrypoint}
		}
		for _, p := range parts {
			spec.Layers = append(spec.Layers, layers[p])
		}
		return spec
	}
	list, err := json.Marshal([]imageSpec{
		image("kube-apiserver:"+KubernetesVersion, "", "k8s"),
		image("kube-controller-manager:"+KubernetesVersion, "", "k8s"),
		image("kube-scheduler:"+KubernetesVersion, "", "k8s"),
		image("kube-proxy:"+KubernetesVersion, "", "k8s", "proxy"),
		image("etcd:"+EtcdTag, "", "etcd"),
		image("coredns/coredns:"+CoreDNSTag, "/coredns", "coredns"),
		image("pause:"+PauseTag, "/pause", "pause"),
		image(strings.TrimPrefix(ToolImage, "registry.k8s.io/"), "", "tool"),
	})
	if err != nil {
		return err
	}
	cmd := exec.Command(bins["images"], out)
	cmd.Stdin = bytes.NewReader(list)
	return runQuiet(cmd)
}

// proxyFiles copies the files of some Debian packages of the root into a layer.
func proxyFiles(root, rootfs string) error {
	script := `set -eu
cd "$1"; out=$2; shift 2
for d in bin sbin lib lib64; do mkdir -p "$out/usr/$d"; ln -s "usr/$d" "$out/$d"; done
for p; do
  for l in var/lib/dpkg/info/$p.list var/lib/dpkg/info/$p:*.list; do if [ -e $l ]; then cat $l; fi; done
done | grep -vE '^/\.$|/doc/|/man/|/locale/|gconv|/lintian|/systemd|/bash-completion|/audit/' | sed 's,^/,,' |
  while read -r f; do [ -d "$f" ] || echo "$f"; done | tar -c -T - -f - | tar -C "$out" --keep-directory-symlink -xf -
ln -sf xtables-nft-multi "$out/usr/sbin/iptables"
for n in iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do ln -sf xtables-nft-multi "$out/usr/sbin/$n"; done
mkdir -p "$out/run" "$out/tmp"
chroot "$out" /usr/sbin/iptables --version >&2
chroot "$out" /usr/sbin/nft --version >&2`
	return runQuiet(exec.Command("sh", append([]string{"-c", script, "sh", rootfs, root}, proxyPackages...)...))
}
