package config

import (
	"testing"
)

// What belongs to one machine is in its own file and not in what the cluster keeps.
func TestNodeKubelet(t *testing.T) {
	c, d := New(), machine()
	d.SystemdResolved = true
	ready(t, c, d)
	k := c.NodeKubelet()
	if k.ResolverConfig == nil || *k.ResolverConfig != "/run/systemd/resolve/resolv.conf" {
		t.Errorf("resolvConf is %v", k.ResolverConfig)
	}
	if got := k.ContainerRuntimeEndpoint; got != d.CRISocket {
		t.Errorf("containerRuntimeEndpoint is %q", got)
	}
	if c.Kubelet.ResolverConfig != nil || c.Kubelet.ContainerRuntimeEndpoint != "" {
		t.Error("the cluster's configuration was changed")
	}
	if c.KubeletGiven || c.ProxyGiven {
		t.Error("nothing was given")
	}

	own := load(t, `
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
resolvConf: /etc/own.conf
rotateCertificates: false
`)
	if got := own.NodeKubelet().ResolverConfig; got == nil || *got != "/etc/own.conf" {
		t.Errorf("the given resolvConf became %v", got)
	}
	if !own.Kubelet.RotateCertificates || !own.KubeletGiven || own.ProxyGiven {
		t.Error("rotateCertificates is forced, and only the kubelet's document was given")
	}
	if len(own.Warnings) != 0 {
		t.Errorf("warnings without systemd-resolved: %q", own.Warnings)
	}
	ready(t, own, d)
	if len(own.Warnings) != 1 {
		t.Errorf("warnings with systemd-resolved: %q", own.Warnings)
	}
}

func TestTaints(t *testing.T) {
	for text, want := range map[string]int{"": 1, "taints: null": 1, "taints: []": 0, "taints: [{key: a, effect: NoExecute}]": 1} {
		c := load(t, "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nnodeRegistration:\n  name: node\n  "+text+"\n")
		if got := len(c.Init.NodeRegistration.Taints); got != want {
			t.Errorf("%q: %d taints, want %d", text, got, want)
		}
	}
}

// Everything that the machine cannot tell is asked for at once.
func TestNothingKnown(t *testing.T) {
	c := New()
	if err := c.SetDefaults(Dynamic{}); err != nil {
		t.Fatal(err)
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	golden(t, "nothing-known.golden", []byte(err.Error()+"\n"))
}
