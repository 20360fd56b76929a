package preflight

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubewright/kubewright/config"
)

// pathName makes the name of a check about a path, as kubeadm does: "FileAvailable--etc-kubernetes-manifests-etcd.yaml".
func pathName(check, path string) string { return check + "-" + strings.ReplaceAll(path, "/", "-") }

// manifests must not be somebody else's. Ours are compared and changed by the steps; static pods of other names are no
// business of ours.
func (i *initChecks) manifests() []Check {
	var checks []Check
	for _, component := range staticPods {
		path := manifestPath(component)
		checks = append(checks, Check{Name: pathName("FileAvailable", path), Find: func(context.Context) []Finding {
			if !i.m.Host.Exists(path) || i.ownPod(component) != nil {
				return nil
			}
			return failed(path+" is there already, and is not kubewright's",
				"if it belongs to a cluster that is to go, reset this machine with the tool that made it, as in: kubeadm reset")
		}})
	}
	return checks
}

// etcdDir must be empty, or belong to the etcd that an earlier run of ours started.
func (i *initChecks) etcdDir() Check {
	dir := i.c.Cluster.Etcd.Local.DataDir
	return Check{Name: pathName("DirAvailable", dir), Find: func(context.Context) []Finding {
		names, err := i.m.Host.ReadDir(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return failure(err, "etcd's data directory must be an empty directory")
		case setAside(names) || i.ownEtcdDir(dir) || i.joined() && leftMembers(names):
			return nil
		}
		return failed(fmt.Sprintf("etcd's data directory %s is not empty: it has %s", dir, names[0]),
			"if its data is not needed any more, remove it; or set etcd.local.dataDir to another directory")
	}}
}

// leftMembers says that there is nothing but data of members, of now or before: join sets it aside if the cluster has no such
// member. Its manifest may be gone, which join takes away when it does not come to its end.
func leftMembers(names []string) bool {
	return setAside(slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "member" }))
}

// setAside says that there is nothing that etcd would look at: what join and reset have moved aside where the directory is a disk of
// its own, and what such a disk has by itself.
func setAside(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		return name != "lost+found" && !strings.HasPrefix(name, "member.removed-") && !strings.HasPrefix(name, "member.reset-")
	})
}

func (i *initChecks) ownEtcdDir(dir string) bool {
	pod := i.ownPod(config.Etcd)
	if pod == nil {
		return false
	}
	for _, v := range pod.Spec.Volumes {
		if v.HostPath != nil && v.HostPath.Path == dir {
			return true
		}
	}
	return false
}

// programs must be in PATH: the kubelet calls losetup and mount; cp is on kubeadm's list too.
func (i *initChecks) programs() []Check {
	var checks []Check
	for _, p := range []struct{ name, pkg string }{{"losetup", "util-linux"}, {"mount", "util-linux"}, {"cp", "coreutils"}} {
		checks = append(checks, Check{Name: "FileExisting-" + p.name, Find: func(context.Context) []Finding {
			if i.m.LookPath == nil {
				return nil
			}
			if _, err := i.m.LookPath(p.name); err == nil {
				return nil
			}
			return failed("the program "+p.name+" is not in PATH", "it is in the package "+p.pkg)
		}})
	}
	return checks
}

// forwarding must be on for each address family of the cluster: pods of different machines reach each other through it.
func (i *initChecks) forwarding() []Check {
	var v4, v6 bool
	for _, cidr := range slices.Concat(i.c.ServiceCIDRs(), i.c.PodCIDRs()) {
		v4, v6 = v4 || cidr.Addr().Is4(), v6 || cidr.Addr().Is6()
	}
	if addr, err := netip.ParseAddr(i.c.Init.LocalAPIEndpoint.AdvertiseAddress); err == nil {
		v4, v6 = v4 || addr.Unmap().Is4(), v6 || addr.Unmap().Is6()
	}
	var checks []Check
	if v4 {
		checks = append(checks, i.sysctl("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"))
	}
	if v6 {
		checks = append(checks, i.sysctl("net.ipv6.conf.default.forwarding", "/proc/sys/net/ipv6/conf/default/forwarding"))
	}
	return checks
}

func (i *initChecks) sysctl(name, path string) Check {
	return Check{Name: pathName("FileContent", path), Find: func(context.Context) []Finding {
		data, err := i.m.Host.ReadFile(path)
		if err != nil {
			return failure(err, "the kernel has no setting "+name+": is this address family turned off?")
		}
		if value := strings.TrimSpace(string(data)); value != "1" {
			return failed(fmt.Sprintf("%s is %s, not 1: packets of pods are not forwarded", name, value),
				fmt.Sprintf("set it with: sysctl -w %s=1, and for the next boot: echo %s=1 >> /etc/sysctl.d/99-kubernetes.conf", name, name))
		}
		return nil
	}}
}
