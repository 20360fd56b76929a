package bed

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// questions are what only programs of the machine can say, each with who reads the answer.
var questions = []struct {
	command string
	read    func(Inventory, string)
}{
	{"systemctl show --all -p Id,LoadState,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths '*'", Inventory.units},
	{"systemctl list-unit-files --plain --no-legend --no-pager", Inventory.unitFiles},
	{"nft --stateless list ruleset", Inventory.nft},
	{"iptables-save", func(i Inventory, s string) { i.iptables("iptables", s) }},
	{"ip6tables-save", func(i Inventory, s string) { i.iptables("ip6tables", s) }},
	{"ss -Hlntup", Inventory.ports},
	{"cat /proc/net/ip_vs 2>/dev/null || true", Inventory.ipvs},
	{"sysctl -e " + settings, Inventory.sysctl},
}

// settings are those of the kernel that components of Kubernetes write. The machine's own are those below net.
const settings = `net.ipv4.ip_forward net.ipv4.conf.all.route_localnet net.ipv4.conf.default.route_localnet net.ipv4.conf.all.arp_ignore
 net.ipv4.conf.all.arp_announce net.ipv4.conf.all.rp_filter net.ipv4.conf.default.rp_filter net.ipv4.vs.conntrack net.ipv6.conf.all.forwarding
 net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables net.netfilter.nf_conntrack_max
 net.netfilter.nf_conntrack_tcp_timeout_established net.netfilter.nf_conntrack_tcp_timeout_close_wait net.netfilter.nf_conntrack_tcp_be_liberal
 vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes`

const separator = "\x00--\x00"

// ask puts in the answers to all questions. One shell asks them one after the other.
func (i Inventory) ask(m *Machine) error {
	script := "set -e\n"
	for _, q := range questions {
		script += strings.ReplaceAll(q.command, "\n", "") + "\nprintf '\\000--\\000'\n"
	}
	out, err := m.Command("sh", "-c", script).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return fmt.Errorf("cannot ask the machine: %w", err)
	}
	answers := strings.Split(string(out), separator)
	for n, q := range questions {
		q.read(i, answers[n])
	}
	return nil
}

// units reads blocks of lines like "Id=kubelet.service". Units of mounts and devices only repeat what is an item elsewhere.
func (i Inventory) units(text string) {
	for block := range strings.SplitSeq(text, "\n\n") {
		id, properties := "", []string{}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if name == "Id" {
				id = value
			} else if value != "" {
				properties = append(properties, name+"="+strings.ReplaceAll(value, " ", ","))
			}
		}
		switch kind := id[strings.LastIndex(id, ".")+1:]; kind {
		case "", "mount", "device", "swap":
		default:
			i[Item{"unit", id}] = strings.Join(properties, " ")
		}
	}
}

// unitFiles reads lines of name, state and preset.
func (i Inventory) unitFiles(text string) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 {
			i[Item{"unit-file", f[0]}] = "state=" + f[1]
		}
	}
}

// nft reads a ruleset: tables, the chains and sets in them, and each line in these.
func (i Inventory) nft(text string) {
	var at []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case line == "}" && len(at) > 0:
			at = at[:len(at)-1]
		case strings.HasSuffix(line, "{") && len(at) < 2:
			at = append(at, strings.TrimSpace(strings.TrimSuffix(line, "{")))
			i.add("nft", strings.Join(at, " "))
		default:
			i.add("nft", strings.Join(at, " ")+": "+line)
		}
	}
}

var counters = regexp.MustCompile(` ?\[\d+:\d+\]`)

// iptables reads what iptables-save says, and leaves out the counters.
func (i Inventory) iptables(kind, text string) {
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line == "COMMIT" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		default:
			i.add(kind, table+" "+strings.TrimSpace(counters.ReplaceAllString(line, "")))
		}
	}
}

var numbers = regexp.MustCompile(`,?(pid|fd)=\d+`)

// ports reads lines of protocol, state, two queues, local and remote address, and processes.
func (i Inventory) ports(text string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 6 {
			continue
		}
		who := numbers.ReplaceAllString(strings.Join(f[6:], " "), "")
		i.add("port", strings.TrimSpace(f[0]+" "+f[4]+" "+who))
	}
}

// ipvs reads the kernel's table: two lines of heading, one of a version, and then services with their servers, ended by counters.
func (i Inventory) ipvs(text string) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 2 && (f[0] == "TCP" || f[0] == "UDP" || f[0] == "SCTP" || f[0] == "->" && f[1] != "RemoteAddress:Port") {
			i.add("ipvs", strings.Join(f[:3], " "))
		}
	}
}

// sysctl reads lines like "vm.panic_on_oom = 0".
func (i Inventory) sysctl(text string) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		i[Item{"sysctl", name}] = "value=" + strings.ReplaceAll(value, " ", ",")
	}
}
