package cluster

import (
	"slices"
	"strings"
)

// kubelet is what the kubelet counts as among the components.
const kubelet = "kubelet"

// place is where a cause shows.
type place int

const (
	// atEnd is in the last words of a process that has ended by itself, or in what the runtime says of its end.
	atEnd place = iota
	// inLife is in the log of a container that runs.
	inLife
	// ofPod is in what the kubelet says of a pod that has no container yet.
	ofPod
)

// cause is what no waiting heals: somebody has to change something. What may pass by itself, as a peer that does not answer yet,
// is none; a crash loop tells about those.
type cause struct {
	in    []string // the components; nil is each
	place place
	// signs are words of which the message has one, and with others of which it has one, too; log has words of which one is
	// somewhere in the log. All in lower case.
	signs, with, log []string
	// sure says that it is final also where the message tells of a peer that does not answer.
	sure bool
	// external says that it is one only where etcd is not this machine's.
	external bool
	// says goes on after how the component ended, and hint says what to do. {args} is where the component's flags are configured.
	says, hint string
}

const (
	noStart   = "the container runtime can't start it"
	badValue  = "a flag has a value that it does not take"
	mendFlag  = "mend it in {args}, or in the patch that it comes from"
	mendImage = "pull the image, or mend its name in the patch or the configuration that it comes from"
)

// table is a list of causes.
type table []cause

// causes has a row for each cause. The first one that fits counts. The words are those of Kubernetes 1.37, etcd 3.7 and containerd 2;
// causes_test.go has whole lines of theirs.
func causes() table {
	return table{
		{in: []string{kubelet},
			signs: []string{"failed to load kubelet config file", "failed to validate kubelet configuration", "kubeletconfiguration"},
			says:  "its configuration is wrong",
			hint:  "mend the KubeletConfiguration, or the patch kubeletconfiguration, that /var/lib/kubelet/config.yaml is made of"},
		{signs: []string{"unknown flag: ", "unknown shorthand flag: ", "flag provided but not defined: "},
			says: "it does not know a flag", hint: mendFlag},
		{signs: []string{`invalid argument "`, `invalid argument \"`, `invalid value "`, `invalid boolean value "`, "failed to verify flags", "unrecognized feature gate",
			"is not a valid mode", "is not a valid cidr", "is not in the list of known controllers"},
			says: badValue, hint: mendFlag},
		{signs: []string{"admission-plugins plugin "}, with: []string{"is unknown"},
			says: badValue, hint: mendFlag},
		{in: []string{kubelet}, signs: []string{"running with swap on is not supported"},
			says: "it does not run with swap", hint: "run: swapoff -a"},
		{in: []string{kubelet}, sure: true,
			signs: []string{"validate service connection", "failed to create runtime service"},
			with:  []string{"no such file or directory", "unknown service runtime.v1", "permission denied", "error reading server preface", "broken pipe"},
			says:  "there is no container runtime at its socket",
			hint: "set nodeRegistration.criSocket, or --cri-socket, to the socket of the runtime, and leave containerRuntimeEndpoint out of " +
				"patches"},
		{signs: []string{"no space left on device", "disk quota exceeded"},
			says: "the disk is full", hint: "make room on the file system that it writes to"},
		{signs: []string{"failed to find any pem data", "private key does not match public key", "malformed certificate", "malformed pem",
			"does not contain a valid rsa or ecdsa private key", "does not contain any valid", "error loading ca bundle",
			"failed to parse service-account", "x509: ", "asn1: "},
			says: "a certificate or key is no good",
			hint: "look at the files that {args} and its manifest name: what kubewright made, but for a CA, it makes again once it is removed"},
		{signs: []string{"couldn't get version/kind", "error decoding", "error while parsing file", "error loading config file",
			"strict decoding error", "cannot unmarshal"},
			says: "a configuration file can't be read", hint: "mend the file that is named"},
		{signs: []string{"permission denied", "operation not permitted"},
			says: "it may not do what it has to",
			hint: "look at the rights of the path that is named, and at the security context in patches"},
		{in: []string{localEtcd}, signs: []string{"failed to open database", "invalid database", "crc mismatch", "wal: ", "snap: "},
			says: "its data is damaged or not etcd's",
			hint: "move its data directory away if nobody needs it, or restore a snapshot"},
		{in: []string{localEtcd}, signs: []string{"cluster id mismatch", "permanently removed from the cluster", "couldn't find local name",
			"member count is unequal", "mismatch member id", "unmatched member while checking peerurls"},
			says: "its data is of another cluster, or of a member that is not there any more",
			hint: "move its data directory away if nobody needs it"},
		{in: []string{apiServer}, external: true, sure: true,
			signs: []string{"etcd grpc connection not ready"},
			log:   []string{"connection refused", "no route to host", "i/o timeout", "network is unreachable", "no such host"},
			says:  "etcd does not answer",
			hint:  "look at etcd.external.endpoints, and whether etcd runs there and lets this machine reach it"},
		{signs: []string{"no such file or directory", "executable file not found"},
			says: "a file is not there that it needs", hint: "is it mounted? look at {args}, extraVolumes and patches"},
		{in: []string{kubelet}, signs: []string{"failed to run kubelet: "},
			says: "it does not run like this", hint: "look at its configuration, and at {args}"},
		{signs: []string{"cannot start a stopped process"},
			says: "it was killed before it could start",
			hint: "a memory limit that is too low does that: raise or remove it in the patch that it comes from"},

		{place: inLife, in: []string{localEtcd},
			signs: []string{"failed to publish local member to cluster"}, log: []string{"x509: "},
			says: "it does not trust the certificates of the other members",
			hint: "the certificates of all members must be of the same CA, etcd/ca.crt, and valid now"},
		{place: inLife, in: []string{localEtcd},
			signs: []string{"failed to publish local member to cluster"}, log: []string{"prober detected unhealthy status"},
			says: "its data is of a cluster of several members, and the others do not answer",
			hint: "if it is data of another cluster that nobody needs, move its data directory away; else start the other members"},
		{place: inLife, in: []string{apiServer},
			signs: []string{"authentication handshake failed: "}, with: []string{"x509: ", "remote error: tls: "},
			says: "it and etcd do not trust each other's certificates",
			hint: "etcd's certificates, and those in {args}, must be of the CA in etcd/ca.crt, and valid now"},

		{place: ofPod, signs: []string{"with errimageneverpull", "with invalidimagename"},
			says: "its image is not there", hint: mendImage},
		{place: ofPod, signs: []string{"with errimagepull", "with imagepullbackoff", "failed to get sandbox image"},
			with: []string{"not found", "manifest unknown", "no such host", "connection refused", "no route to host",
				"network is unreachable", "unauthorized", "denied", "forbidden", "invalid reference format", "x509: "},
			says: "its image can't be pulled", hint: mendImage},
		{place: ofPod, signs: []string{"expected cgroupspath to be of format"},
			says: "the container runtime and the kubelet use different cgroup drivers",
			hint: "configure one driver in all of the runtime (containerd: SystemdCgroup), and restart it and the kubelet"},
		{place: ofPod, signs: []string{"hostpath type check failed"},
			says: "a path is not there that it mounts", hint: "mend extraVolumes, or the patch that it comes from"},
		{place: ofPod, signs: []string{"with createcontainerconfigerror", "could not process manifest file"},
			says: "its manifest is wrong", hint: "mend the patch that it comes from"},
		{place: ofPod, signs: []string{"with createcontainererror", "with runcontainererror"}, with: []string{"no such file or directory"},
			says: noStart, hint: "look at the path that is named, and at patches"},
		{place: ofPod, signs: []string{"with createpodsandboxerror", "with createcontainererror", "with runcontainererror"},
			with: []string{"permission denied", "executable file not found", "no space left on device", "resolv.conf: no such file"},
			says: noStart, hint: "look at the path that is named, and at patches"},
	}
}

// find returns the cause that a message tells, or nil. log is what is known of the component's log, external that etcd is elsewhere.
func (t table) find(component string, p place, message string, log []string, external bool) *cause {
	message = strings.ToLower(message)
	// A peer may come later, whatever else the message says of it. So may what the kubelet asks the cluster to sign.
	passing := p == atEnd && (unreachable(message) || hasOne(message, []string{"dial unix", "certificate signing request", "unavailable",
		"timeout", "timed out", "temporary failure"}))
	for _, c := range t {
		switch {
		case c.place != p || passing && !c.sure || c.external && !external:
		case c.in != nil && !slices.Contains(c.in, component):
		case !hasOne(message, c.signs) || c.with != nil && !hasOne(message, c.with):
		case c.log != nil && !slices.ContainsFunc(log, c.inLog):
		default:
			c.hint = strings.ReplaceAll(c.hint, "{args}", argsOf(component))
			return &c
		}
	}
	return nil
}

// evidence is the message, after what else of the log makes it one of this cause.
func (c *cause) evidence(message string, log []string) []string {
	if i := slices.IndexFunc(log, c.inLog); i >= 0 {
		return []string{log[i], message}
	}
	return []string{message}
}

// inLog says whether a line is what else has to be in the log.
func (c *cause) inLog(line string) bool { return hasOne(strings.ToLower(line), c.log) }

func hasOne(text string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// argsOf is where a component's flags are configured.
func argsOf(component string) string {
	switch component {
	case localEtcd:
		return "etcd.local.extraArgs"
	case apiServer:
		return "apiServer.extraArgs"
	case controllerManager:
		return "controllerManager.extraArgs"
	case scheduler:
		return "scheduler.extraArgs"
	}
	return "KUBELET_EXTRA_ARGS in /etc/default/kubelet or /etc/sysconfig/kubelet, or nodeRegistration.kubeletExtraArgs"
}
