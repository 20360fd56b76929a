package manifests

import (
	"slices"
	"strings"

	"github.com/kubewright/kubewright/config"
)

// flags are a component's command line before the user's extraArgs.
type flags struct {
	args []config.Arg
}

// add appends a flag. Where its value is a file, an empty one turns the flag's feature off.
func (f *flags) add(name, value string) {
	f.args = append(f.args, config.Arg{Name: name, Value: value})
}

// command is the component's command line with the user's flags.
func (f *flags) command(component string, extra []config.Arg) []string {
	return append([]string{component}, config.MergeArgs(f.args, extra)...)
}

// fileFlags are the flags of all components whose value is a file with a certificate, a key or a kubeconfig.
var fileFlags = []string{
	"authentication-kubeconfig", "authorization-kubeconfig", "cert-file", "client-ca-file", "cluster-signing-cert-file",
	"cluster-signing-key-file", "etcd-cafile", "etcd-certfile", "etcd-keyfile", "key-file", "kubeconfig", "kubelet-client-certificate",
	"kubelet-client-key", "peer-cert-file", "peer-key-file", "peer-trusted-ca-file", "proxy-client-cert-file", "proxy-client-key-file",
	"requestheader-client-ca-file", "root-ca-file", "service-account-key-file", "service-account-private-key-file",
	"service-account-signing-key-file", "tls-cert-file", "tls-private-key-file", "trusted-ca-file",
}

// FlagsOf are the flags of a command line by their names, with the last value of each. One whose value is a word of its own has none.
func FlagsOf(command []string) map[string]string {
	flags := map[string]string{}
	for _, arg := range command {
		name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		flags[name] = value
	}
	return flags
}

// FilesOf are the certificates, keys and kubeconfigs that a component with this command line reads, sorted.
func FilesOf(command []string) []string {
	var paths []string
	for _, arg := range command {
		name, path, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if path != "" && strings.HasPrefix(arg, "-") && slices.Contains(fileFlags, name) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
