package bed

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"text/template"
)

// Where a machine of Spec.Audit has the policy of the API server's audit log, and where the API server of WithAudit, or of a
// control plane that joined its cluster, writes the log.
const (
	AuditPolicy = "/etc/kubernetes-audit.yaml"
	AuditLog    = "/var/log/kubernetes-audit/audit.log"
)

// initValues is what the template of InitConfig reads.
type initValues struct {
	Address, Name, Version, PodSubnet string
	Endpoint                          string
	Audit                             bool
	AuditPolicy, AuditLog             string
}

// InitOption changes the configuration of InitConfig.
type InitOption func(*initValues)

// WithEndpoint sets the controlPlaneEndpoint, which a cluster needs that other control planes join; usually Lab.Endpoint.
func WithEndpoint(endpoint string) InitOption { return func(v *initValues) { v.Endpoint = endpoint } }

// WithAudit lets every API server of the cluster write AuditLog on its machine: one line of JSON for each request, of the
// level Metadata. All control planes have to be machines of Spec.Audit.
func WithAudit() InitOption { return func(v *initValues) { v.Audit = true } }

// InitConfig is the smallest configuration with which kubewright, or kubeadm, makes a cluster on the machine: what the
// bed's way of making machines asks for, and what the options add.
func InitConfig(m *Machine, options ...InitOption) string {
	v := initValues{
		Address: m.IP(), Name: m.Name, Version: KubernetesVersion, PodSubnet: PodNetwork, AuditPolicy: AuditPolicy, AuditLog: AuditLog,
	}
	for _, o := range options {
		o(&v)
	}
	return fill("init.yaml", v)
}

// joinValues is what the template of JoinConfig reads.
type joinValues struct {
	Address, Name, Endpoint, Token, Key string
	Hashes                              []string
	ControlPlane                        bool
}

// JoinConfig is the configuration with which kubewright, or kubeadm, joins the machine to a cluster: what the arguments of a
// join command say, as ReadJoin returns them, and the machine's own name and address.
func JoinConfig(m *Machine, args []string) string {
	v := joinValues{Address: m.IP(), Name: m.Name, Endpoint: args[0], ControlPlane: slices.Contains(args, "--control-plane")}
	for i, arg := range args[:len(args)-1] {
		switch value := args[i+1]; arg {
		case "--token":
			v.Token = value
		case "--discovery-token-ca-cert-hash":
			v.Hashes = append(v.Hashes, value)
		case "--certificate-key":
			v.Key = value
		}
	}
	return fill("join.yaml", v)
}

// ReadJoin finds the join commands in what kubewright or kubeadm says at the end of init, or when it makes a token. It returns
// the arguments after `join`, those of a control plane too, which are nil if there is no such command.
func ReadJoin(output string) (worker, controlPlane []string) {
	for line := range strings.Lines(strings.ReplaceAll(output, "\\\n", " ")) {
		words := strings.Fields(line)
		switch {
		case len(words) < 5 || words[0] != "kubewright" && words[0] != "kubeadm" || words[1] != "join":
		case slices.Contains(words, "--control-plane"):
			controlPlane = words[2:]
		default:
			worker = words[2:]
		}
	}
	return worker, controlPlane
}

// fill fills in a template among the embedded files; one that does not fit its values is a mistake in this package.
func fill(name string, values any) string {
	t := template.Must(template.New(name).Option("missingkey=error").Funcs(template.FuncMap{"dir": path.Dir}).Parse(fileOf(name)))
	var out bytes.Buffer
	if err := t.Execute(&out, values); err != nil {
		panic(err)
	}
	return out.String()
}
