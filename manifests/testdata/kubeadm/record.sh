#!/bin/bash
# Records what kubeadm makes of the cases beside this folder, for the test that compares kubewright with it.
#
#   record.sh /path/to/kubeadm [case...]
#
# As root. kubeadm runs dry, in namespaces of its own: it sees copies of /etc and /var/lib that are thrown away, no network and
# no programs, so that it reaches neither this machine's services nor its files.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if [ "${1:-}" != --inside ]; then
	kubeadm=$(readlink -f "$1")
	shift
	[ $# -gt 0 ] || set -- $(cd "$here/../cases" && ls)
	for name in "$@"; do
		case $name in
		joining) continue ;;       # needs a cluster to join
		token-expires) continue ;; # kubeadm gives every token a lifetime and then refuses it beside an end of life
		esac
		rm -rf "${here:?}/$name"
		mkdir "$here/$name"
		unshare --mount --net --uts --ipc "$0" --inside "$kubeadm" "$here/../cases/$name" "$here/$name"
		echo "$name"
	done
	exit
fi

kubeadm=$2 input=$3 output=$4 name=$(basename "$4")
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/in /mnt/out /mnt/dry /mnt/nothing
mount --bind "$input" /mnt/in
mount --bind "$output" /mnt/out
cp "$kubeadm" /mnt/kubeadm
for dir in /etc /var/lib /usr/share /usr/local/share; do
	mkdir -p "/mnt/upper$dir" "/mnt/work$dir"
	mount -t overlay overlay -o "lowerdir=$dir,upperdir=/mnt/upper$dir,workdir=/mnt/work$dir" "$dir"
done
mount -t tmpfs tmpfs /run
rm -rf /etc/kubernetes /var/lib/kubelet /var/lib/etcd
rm -rf /etc/ca-certificates /etc/pki /usr/share/ca-certificates /usr/local/share/ca-certificates
mkdir -p /etc/ssl/certs /etc/kubernetes/manifests
hostname node-1
for variable in $(env | sed -n 's/^\([A-Za-z]*_[Pp][Rr][Oo][Xx][Yy]\)=.*/\1/p'); do unset "$variable"; done

case $name in
proxy)
	export no_proxy=10.0.0.0/8,.local HTTPS_PROXY=http://proxy.example.com:3128
	mkdir -p /etc/ca-certificates /usr/share/ca-certificates
	;;
extra-volumes) export https_proxy=http://proxy.example.com:3128 ;;
esac

# The output is cut into files with the tools that kubeadm itself must not see.
run() { (cd /mnt/in && PATH=/mnt/nothing KUBEADM_INIT_DRYRUN_DIR=/mnt/dry /mnt/kubeadm "$@" --config config.yaml); }
if [ "$name" = external-ca ]; then
	for phase in "certs all" "kubeconfig all"; do run init phase $phase >/dev/null 2>&1; done
	rm /etc/kubernetes/pki/ca.key
	for phase in "etcd local" "control-plane all"; do run init phase $phase >/dev/null 2>&1; done
	cp /etc/kubernetes/manifests/*.yaml /mnt/out/
	exit
fi
run init --dry-run --ignore-preflight-errors=all >/mnt/stdout 2>/mnt/stderr || { cat /mnt/stderr; exit 1; }
for component in etcd kube-apiserver kube-controller-manager kube-scheduler; do
	[ ! -e "/mnt/dry/$component.yaml" ] || cp "/mnt/dry/$component.yaml" /mnt/out/
done
cp /mnt/dry/config.yaml /mnt/out/kubelet-config.yaml
cp /mnt/dry/instance-config.yaml /mnt/dry/kubeadm-flags.env /mnt/out/
awk '/^\[dryrun\] Would perform action/ { create = / CREATE / }
	/^\[/ || /^$/ { inside = 0 }
	inside { print }
	/^\[dryrun\] Attached object:/ && create { inside = 1; if (some++) print "---" }' /mnt/stdout |
	sed 's/\(certificate-authority-data: \).*/\1Q0E=/' >/mnt/out/objects.yaml
