package corpus

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// difference is one way in which kubewright's verdict is not kubeadm's, on purpose.
type difference struct {
	// row is how its row in docs/differences.md begins; that says the reason.
	row string
	// ours matches a line of kubewright's complaint about a file that kubeadm takes; kubeadm's is about one that kubewright takes. One
	// of them is empty.
	ours, kubeadm string
}

// differences is the whole list: a test fails if there is another one, or, with all documents, one less.
var differences = []difference{
	{"an argument whose name", `xtraArgs\[\d+\]\.name: ".*": (a name holds neither|write the name without)`, ""},
	{"`criSocket` is", `criSocket: ".*" (must start with unix://|must hold an absolute path|is not a URL)`, ""},
	{"pins in `caCertHashes`", `caCertHashes\[\d+\]: ".*" is no pin`, ""},
	{"pod and service ranges that overlap", `networking\.podSubnet: .* overlaps with the service subnet`, ""},
	{"pod and service ranges that overlap", `networking\.serviceSubnet: .* contains the machine's own address`, ""},
	{"pod and service ranges that overlap", `networking\.serviceSubnet: .* comes first, so localAPIEndpoint`, ""},
	{"a file without a document", `cannot read .*: it holds no document`, ""},
	{"text after the end of a document", `more text after the end of the document`, ""},
	{"a version newer than 1.37", `kubernetesVersion: v.* is not supported; this release makes control planes of`, ""},
	{"`kubernetesVersion` of an UpgradeConfiguration", `(apply|plan|diff)\.kubernetesVersion: ".*" is neither a version`, ""},
	{"`all` beside other checks", `ignorePreflightErrors: all stands for every check`, ""},
	{"an `imageTag`", `imageTag: ".*" is not an image tag`, ""},
	{"endpoints of etcd", `etcd\.external\.(endpoints|httpEndpoints)\[\d+\]: ".*" is not a URL such as`, ""},
	{"endpoints need", `apiServerEndpoint: ".*": (the port must be a number|want host)`, ""},
	{"endpoints need", `controlPlaneEndpoint: ".*": the port must be a number`, ""},
	{"endpoints need", `discovery\.file\.kubeConfigPath: the URL names no host`, ""},
	{"`certificatesDir: /`", `certificatesDir: it would be emptied`, ""},
	{"`certificatesDir: /`", `unmountFlags: the kernel takes MNT_EXPIRE not together`, ""},
	{"an `advertiseAddress`", `advertiseAddress: .* cannot be reached by other nodes`, ""},
	{"addresses with leading zeros", `advertiseAddress: "0.*" is not an IP address`, ""},
	{"addresses with leading zeros", `serviceSubnet: "(0.*" is not a CIDR|.*" is an IPv4 address in IPv6 form)`, ""},
	{"times that are negative", `timeouts\.\w+: -.* is negative`, ""},
	{"times that are negative", `ertificateValidityPeriod: .* is no lifetime`, ""},
	{"times that are negative", `bootstrapTokens\[\d+\]\.ttl: .* is negative`, ""},
	{"times that are negative", `diff\.contextLines: -.* is negative`, ""},
	{"two bootstrap tokens", `another token has the same id`, ""},
	{"a component configuration", `KubeletConfiguration: unknown field maxPod$`, ""},

	{"a bootstrap token may have", "", `groups: Invalid value: .*unless --usages includes "authentication"`},
	{"a bootstrap token may have", "", `\.TTL and \.Expires fields are mutually exclusive`},
	{"`discovery.file.kubeConfigPath`", "", `discovery\.file\.kubeConfigPath: .*not a valid HTTPS URL or a file on disk`},
	{"documents that hold nothing", "", `GroupVersionKind /, Kind=: kind and apiVersion is mandatory`},
	{"JSON may have", "", `json parse error: invalid character '}'`},
	{"`migrate` leaves an address", "", `unable to select an IP from lo network interface`},
}

func (d difference) pattern() *regexp.Regexp {
	return regexp.MustCompile("(?s)" + d.ours + d.kubeadm)
}

// Every difference has a row with its reason.
func TestDifferencesAreWrittenDown(t *testing.T) {
	text, err := os.ReadFile("../../docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		if !strings.Contains(string(text), "\n| "+d.row) {
			t.Errorf("docs/differences.md has no row %q", d.row)
		}
		if (d.ours == "") == (d.kubeadm == "") {
			t.Errorf("%q is about one side", d.row)
		}
	}
}
