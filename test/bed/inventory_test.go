package bed

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	before := Inventory{
		{"file", "/etc/hosts"}: "mode=0644 owner=0:0 size=2 content=aa",
		{"file", "/etc/mode"}:  "mode=0644 owner=0:0 size=2 content=aa",
		{"link", "cni0"}:       "type=bridge",
		{"link", "lo"}:         "type=device",
		{"process", "sleep 1"}: "",
		{"symlink", "/a b"}:    "target=/x",
	}
	after := Inventory{
		{"file", "/etc/hosts"}: "mode=0644 owner=0:0 size=3 content=bb",
		{"file", "/etc/mode"}:  "mode=0600 owner=0:7 size=2 content=aa",
		{"link", "lo"}:         "type=device",
		{"process", "sleep 1"}: "times=2",
		{"dir", "/a b"}:        "mode=0755 owner=0:0",
	}
	want := Difference{
		"+ dir /a b",
		"~ file /etc/hosts: content, size 2 -> 3",
		"~ file /etc/mode: mode 0644 -> 0600, owner 0:0 -> 0:7",
		"- link cni0",
		"~ process sleep 1: times  -> 2",
		"- symlink /a b",
	}
	if diff := cmp.Diff(want, Diff(before, after)); diff != "" {
		t.Error(diff)
	}
	if d := Diff(before, before); len(d) > 0 {
		t.Errorf("an inventory differs from itself:\n%s", d)
	}
}

func TestDifferenceExcept(t *testing.T) {
	d := Difference{"+ file /var/log/pods/a/0.log", "- link cni0", "~ file /etc/hosts: content"}
	for name, c := range map[string]struct {
		patterns []string
		want     Difference
	}{
		"no exception":   {nil, d},
		"all":            {[]string{"+ file /var/log/pods/*", "- link cni0", "~ file *: content"}, Difference{}},
		"not the whole":  {[]string{"+ file /var/log/pods", "*cni0"}, Difference{d[0], d[2], "! no line for the exception + file /var/log/pods"}},
		"perhaps":        {[]string{"?+ link flannel*", "?*"}, Difference{}},
		"not needed":     {[]string{"*", "+ link *"}, Difference{"! no line for the exception + link *"}},
		"several in one": {[]string{"+ * /var/*/pods/*.log", "*i*"}, Difference{}},
	} {
		if diff := cmp.Diff(c.want, d.Except(c.patterns...)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestMatches(t *testing.T) {
	for pattern, texts := range map[string][]string{
		"/proc": {"/proc", "!/proc/1", "!/a/proc"}, "/a/*": {"/a/", "/a/b/c", "!/a"}, "*.db": {".db", "/x/y.db", "!/x.db.old"},
		"/s/*/*": {"/s/1/fs", "!/s/1"}, "*": {"", "anything"}, "a*b*b": {"abb", "axbyb", "!ab"}, "a*a": {"aa", "!a"},
	} {
		for _, text := range texts {
			text, not := strings.CutPrefix(text, "!")
			if matches(pattern, text) == not {
				t.Errorf("%q and %q: %v", pattern, text, !not)
			}
		}
	}
}

// What programs say is read without what moves by itself.
func TestInventoryAnswers(t *testing.T) {
	i := Inventory{}
	i.units("Id=kubelet.service\nLoadState=loaded\nDropInPaths=/a /b\n\nId=x.mount\nLoadState=loaded\n")
	i.unitFiles("kubelet.service enabled enabled\n")
	i.nft("# Warning\ntable ip nat {\n\tchain POSTROUTING {\n\t\ttype nat hook postrouting priority 0;\n\t\taccept\n\t\taccept\n\t}\n" +
		"\tset s {\n\t\telements = { 10.0.0.1,\n\t\t\t     10.0.0.2 }\n\t}\n}\ntable inet kw {\n}\n")
	i.iptables("iptables", "# by\n*nat\n:KUBE-X - [0:0]\n:OUTPUT ACCEPT [12:345]\n-A OUTPUT -j KUBE-X\nCOMMIT\n")
	i.ports(`tcp LISTEN 0 4096 *:10250 *:* users:(("kubelet",pid=123,fd=9),("kubelet",pid=123,fd=11))` + "\nudp UNCONN 0 0 127.0.0.1:53 0.0.0.0:*\n")
	i.ipvs("IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight\n" +
		"TCP  0A600001:01BB rr\n  -> 0AD50D0B:192B      Masq    1      0          0\n")
	i.sysctl("vm.panic_on_oom = 0\nnet.x = 1\t2\n")
	want := Inventory{
		{"unit", "kubelet.service"}:      "LoadState=loaded DropInPaths=/a,/b",
		{"unit-file", "kubelet.service"}: "state=enabled",
		{"nft", "table ip nat"}:          "", {"nft", "table ip nat chain POSTROUTING"}: "",
		{"nft", "table ip nat chain POSTROUTING: type nat hook postrouting priority 0;"}: "",
		{"nft", "table ip nat chain POSTROUTING: accept"}:                                "times=2",
		{"nft", "table ip nat set s"}:                                                    "",
		{"nft", "table ip nat set s: elements = { 10.0.0.1,"}:                            "",
		{"nft", "table ip nat set s: 10.0.0.2 }"}:                                        "",
		{"nft", "table inet kw"}:                                                         "",
		{"iptables", "nat :KUBE-X -"}:                                                    "",
		{"iptables", "nat :OUTPUT ACCEPT"}:                                               "",
		{"iptables", "nat -A OUTPUT -j KUBE-X"}:                                          "",
		{"port", `tcp *:10250 users:(("kubelet"),("kubelet"))`}:                          "",
		{"port", "udp 127.0.0.1:53"}:                                                     "",
		{"ipvs", "TCP 0A600001:01BB rr"}:                                                 "",
		{"ipvs", "-> 0AD50D0B:192B Masq"}:                                                "",
		{"sysctl", "vm.panic_on_oom"}:                                                    "value=0",
		{"sysctl", "net.x"}:                                                              "value=1\t2",
	}
	if diff := cmp.Diff(want, i); diff != "" {
		t.Error(diff)
	}
}

func TestParseMounts(t *testing.T) {
	got := parseMounts("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n" +
		"37 35 0:4 net:[1] /run/netns/a\\040b rw shared:2 - nsfs nsfs rw\nno mount\n")
	want := []mount{
		{"/mnt1", "/mnt2", "rw,noatime", "ext3", "/dev/root", "rw,errors=continue"},
		{"net:[1]", "/run/netns/a\\040b", "rw", "nsfs", "nsfs", "rw"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mount{})); diff != "" {
		t.Error(diff)
	}
}

// TestBedInventory takes inventories of one machine: nothing changes by itself, and each thing that is done shows, as often as it
// was done.
func TestBedInventory(t *testing.T) {
	lab := NewLab(t)
	m := lab.Machine(t, Spec{Name: "cp1", KubeletUnit: true})
	began := time.Now()
	before := m.Inventory(t)
	t.Logf("%d items in %s", len(before), time.Since(began))
	if d := Diff(before, m.Inventory(t)); len(d) > 0 {
		t.Errorf("nobody did anything:\n%s", d)
	}
	for _, known := range []Item{
		{"file", "/etc/hostname"}, {"symlink", "/etc/systemd/system/multi-user.target.wants/containerd.service"}, {"dir", "/opt"},
		{"process", "/usr/bin/containerd"}, {"unit", "containerd.service"}, {"unit-file", "kubelet.service"}, {"link", "eth0"},
		{"address", m.IP() + "/24 eth0"}, {"socket", "/run/containerd/containerd.sock"}, {"nft", "table inet kw chain out"},
		{"sysctl", "net.ipv4.ip_forward"},
	} {
		if _, there := before[known]; !there {
			t.Errorf("no %s %s in the inventory", known.Kind, known.Name)
		}
	}
	m.MustRun(t, "sh", "-ec", `
echo x >> /etc/hosts; echo new > /root/new; chmod 600 /etc/hostname; mkdir /run/dir /srv/foreign; ln -s /nowhere /opt/link
mount -t tmpfs foreign /srv/foreign; echo y > /srv/foreign/below
systemd-run --quiet --unit=sleeper busybox sleep 1000
systemd-run --quiet --unit=listener busybox nc -l -p 7777
nft add table ip other; nft 'add chain ip other c { type nat hook prerouting priority 5; }'; nft add rule ip other c tcp dport 81 counter dnat to 10.9.9.9
iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to 10.9.9.9
ip link add br7 type bridge; ip addr add 10.7.7.7/24 dev br7; ip link set br7 up; ip route add 10.8.8.0/24 via 10.7.7.1; ip netns add ns1
echo 0 > /proc/sys/net/ipv4/ip_forward
ip link set eth0 promisc on
for g in /sys/fs/cgroup/pids /sys/fs/cgroup; do if [ -e $g/cgroup.procs ]; then mkdir $g/group; break; fi; done
until ss -Hltn | grep -q :7777; do sleep 0.1; done
`)
	after := m.Inventory(t)
	d := Diff(before, after)
	for _, want := range []string{
		"~ file /etc/hosts: content, size *", "+ file /root/new", "~ file /etc/hostname: mode 0644 -> 0600", "+ dir /run/dir", "+ dir /srv/foreign",
		"+ symlink /opt/link", "+ file /srv/foreign/below", "+ mount /srv/foreign tmpfs foreign / rw,relatime",
		"+ process /usr/bin/busybox sleep 1000", "+ process /usr/bin/busybox nc -l -p 7777", "+ unit sleeper.service", "+ unit listener.service",
		`+ port tcp *:7777 users:(("busybox"*`, "+ nft table ip other", "+ nft table ip other chain c: tcp dport 81 counter dnat to 10.9.9.9",
		"+ nft table ip nat chain PREROUTING: *10.9.9.9*", "+ iptables nat -A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.9.9.9",
		"+ link br7", "+ address 10.7.7.7/24 br7", "+ route 10.8.8.0/24 via 10.7.7.1 dev br7 *", "+ mount /run/netns/ns1 nsfs *",
		"~ sysctl net.ipv4.ip_forward: value 1 -> 0", "+ cgroup /group", "~ link eth0: promisc 0 -> 1",
	} {
		if rest := d.Except(want); slices.Contains(rest, "! no line for the exception "+want) {
			t.Errorf("no line %s", want)
		}
	}
	if t.Failed() {
		t.Logf("the difference:\n%s", d)
	}
	if again := Diff(after, m.Inventory(t)); len(again) > 0 {
		t.Errorf("nobody did anything any more:\n%s", again)
	}
}

// A file that can't be read is no file that is not there.
func TestInventoryDescribe(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/f", []byte("text"), 0o640); err != nil {
		t.Fatal(err)
	}
	item, properties, err := describe(dir, dir+"/f")
	if err != nil || item != (Item{"file", "/f"}) || !strings.HasPrefix(properties, "mode=0640 owner=") || !strings.Contains(properties, " size=4 content=") {
		t.Errorf("%v %q %v", item, properties, err)
	}
	if err := os.Symlink("/etc/passwd", dir+"/l"); err != nil {
		t.Fatal(err)
	}
	if item, properties, err := describe(dir, dir+"/l"); err != nil || item.Kind != "symlink" || properties != "target=/etc/passwd" {
		t.Errorf("%v %q %v: a link is not followed", item, properties, err)
	}
	if _, _, err := describe(dir, dir+"/none"); !os.IsNotExist(err) {
		t.Errorf("%v for what is not there", err)
	}
}
