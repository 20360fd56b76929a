package preflight

import "testing"

const apiHeader = "apiVersion: kubeadm.k8s.io/v1beta4\n"

func TestHardware(t *testing.T) {
	swap := func(l *lab) {
		l.write(swapsFile, "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 100 0 -2\n/swap.img file 100 0 -3\n")
	}
	const swapOn = "swap is on: /dev/sda2, /swap.img"
	testRows(t, []row{
		{name: "fit"},
		{"not root runs alone", "", func(l *lab) { l.m.UID, l.m.CPUs = 1000, 1 },
			[]string{"E IsPrivilegedUser: this command needs root, but runs as user 1000"}},
		{"one CPU", "", func(l *lab) { l.m.CPUs = 1 }, []string{"E NumCPU: this machine has 1 CPU; a control-plane node needs at least 2"}},
		{"little memory", "", func(l *lab) { l.m.Memory = 1699 << 20 },
			[]string{"E Mem: this machine has 1699 MiB of memory; a control-plane node needs at least 1700 MiB"}},
		{"not known", "", func(l *lab) { l.m.CPUs, l.m.Memory = 0, 0 }, nil},
		{"swap", "", swap, []string{"E Swap: " + swapOn + "; the kubelet does not start like that"}},
		{"swap refused by flag", apiHeader + "kind: InitConfiguration\nnodeRegistration: {kubeletExtraArgs: [{name: fail-swap-on, value: 'true'}]}\n" +
			"---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nfailSwapOn: false\n",
			swap, []string{"E Swap: " + swapOn + "; the kubelet does not start like that"}},
		{"swap allowed", apiHeader + "kind: ClusterConfiguration\n---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nfailSwapOn: false\n",
			swap, []string{"W Swap: " + swapOn}},
		{"swap allowed by flag", apiHeader + "kind: InitConfiguration\nnodeRegistration: {kubeletExtraArgs: [{name: fail-swap-on, value: 'false'}]}\n",
			swap, []string{"W Swap: " + swapOn}},
		{"kernel without swap", "", func(l *lab) {
			if err := l.m.Host.Remove(swapsFile); err != nil {
				l.t.Fatal(err)
			}
		}, nil},
	})
}
