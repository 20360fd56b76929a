package templates

import (
	"fmt"
	"strings"

	"github.com/kubewright/kubewright/config"
)

// DropIn is what 10-kubeadm.conf depends on.
type DropIn struct {
	// KubeletPath is the absolute path of the kubelet's binary.
	KubeletPath string
}

// KubeletDropIn is 10-kubeadm.conf: it makes the unit start the kubelet with the files that init and join write. Variables and
// their order are those of the packages of kubeadm, so that either tool can rewrite what they hold. Values that systemd would
// misread are errors.
func KubeletDropIn(d DropIn) ([]byte, error) {
	if err := program(d.KubeletPath); err != nil {
		return nil, err
	}
	return render("10-kubeadm.conf.tmpl", struct {
		Marker, Kubelet, Bootstrap, Kubeconfig, Config, Flags string
	}{
		Marker: Marker, Kubelet: d.KubeletPath, Bootstrap: config.BootstrapKubeletKubeconfig,
		Kubeconfig: config.KubeletKubeconfig, Config: config.KubeletConfigFile, Flags: config.KubeletFlagsFile,
	})
}

// Unit is what kubelet.service depends on.
type Unit struct {
	// KubeletPath is the absolute path of the kubelet's binary.
	KubeletPath string
}

// KubeletUnit is kubelet.service, for machines on which no package brings one. Its first line holds Marker.
func KubeletUnit(u Unit) ([]byte, error) {
	if err := program(u.KubeletPath); err != nil {
		return nil, err
	}
	return render("kubelet.service.tmpl", struct{ Marker, Kubelet string }{Marker, u.KubeletPath})
}

// FlagsEnv is what kubeadm-flags.env holds.
type FlagsEnv struct {
	// Flags are the kubelet's flags, "--name=value", in order.
	Flags []string
}

// KubeletFlagsEnv is kubeadm-flags.env. systemd splits the variable at blanks and takes quotes off, as it does with kubeadm's
// file; a line break would end the file's only entry and is an error.
func KubeletFlagsEnv(f FlagsEnv) ([]byte, error) {
	for _, flag := range f.Flags {
		if strings.ContainsAny(flag, "\r\n\x00") {
			return nil, fmt.Errorf("cannot pass %q to the kubelet: a flag has to be on one line", flag)
		}
	}
	escaped := systemdQuotes.Replace(strings.Join(f.Flags, " "))
	return render("kubeadm-flags.env.tmpl", struct{ Flags string }{escaped})
}

// systemdQuotes escapes what keeps a meaning between double quotes in an EnvironmentFile (systemd.exec(5)).
var systemdQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`)

// Instance is what instance-config.yaml holds.
type Instance struct {
	// CRISocket is the container runtime's endpoint, with its scheme.
	CRISocket string
}

// KubeletInstanceConfig is instance-config.yaml: what kubeadm lays over the cluster's kubelet configuration on this machine.
func KubeletInstanceConfig(i Instance) ([]byte, error) { return render("instance-config.yaml.tmpl", i) }
