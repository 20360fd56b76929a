# Turns a process in new mount, pid, uts, ipc and network namespaces into a machine: PID 1 becomes systemd.
# KW_DIR is the machine's folder, KW_NAME its name, KW_LOWER the read-only layers, KW_CGROUPS lines of
# "<our cgroup> <mount point below /sys/fs/cgroup> <mount options>", KW_NETWORKS what it may talk to. Standard input gives one line when the network is there.
set -eu
if [ "${1:-}" != inside ]; then
  read -r _ # without it the host process that starts us has died: there is nothing to go on for
  echo "$KW_CGROUPS" | while read -r group _; do echo $$ > "$group/cgroup.procs"; done
  exec unshare --cgroup /bin/sh "$0" inside
fi

hostname "$KW_NAME" 2>/dev/null || echo "$KW_NAME" > /proc/sys/kernel/hostname
mount --make-rprivate /
root=$KW_DIR/root
mount -t overlay -o "lowerdir=$KW_LOWER,upperdir=$KW_DIR/upper,workdir=$KW_DIR/work" kw "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
mount -t tmpfs -o mode=755,nosuid,nodev,noexec tmpfs "$root/sys/fs/cgroup"

unified=0
case $KW_CGROUPS in *' . '*) unified=1 ;; esac
echo "$KW_CGROUPS" | while read -r _ point options; do
  if [ "$point" = - ]; then
    continue
  elif [ "$point" = . ]; then
    umount "$root/sys/fs/cgroup"
    mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
  else
    mkdir "$root/sys/fs/cgroup/$point"
    mount -t cgroup -o "$options" cgroup "$root/sys/fs/cgroup/$point"
  fi
done

cd "$root/dev"
for dev in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 console:1:3; do
  IFS=: read -r name major minor <<END
$dev
END
  mknod -m 666 "$name" c "$major" "$minor"
done
: > kmsg
mount --bind /dev/kmsg kmsg
mkdir pts shm mqueue
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts pts
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs shm
mount -t mqueue mqueue mqueue
ln -s pts/ptmx ptmx
ln -s /proc/self/fd fd
ln -s /proc/self/fd/0 stdin
ln -s /proc/self/fd/1 stdout
ln -s /proc/self/fd/2 stderr

# An overlay cannot be the upper layer of another one, and the kubelet asks which device its folder is on.
for dir in containerd kubelet; do
  mkdir -p "$root/var/lib/$dir"
  mount --bind "$KW_DIR/volumes/$dir" "$root/var/lib/$dir"
done

# These settings belong to the whole host. The kubelet writes some of them: it gets files of its own to write to.
cd "$root/proc/sys"
for dir in kernel vm fs; do
  mount --bind "$dir" "$dir"
  mount -o remount,bind,ro "$dir"
done
mkdir "$root/run/.kw"
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy=$root/run/.kw/$(basename "$setting")
  cat "$setting" > "$copy"
  mount --bind "$copy" "$setting"
done
echo 1 > net/ipv4/ip_forward
echo 1 > net/ipv6/conf/all/forwarding 2>/dev/null || true

# There is no way out of the lab. Saying so at once keeps a client that is faster than kube-proxy from waiting half a
# minute for an answer from a Service address.
chroot "$root" /usr/sbin/nft -f - <<END
table inet kw {
  chain out { type filter hook output priority 10; jump leave; }
  chain through { type filter hook forward priority 10; jump leave; }
  chain leave {
    oifname != "eth0" accept
    ip daddr { $KW_NETWORKS } accept
    ip daddr 0.0.0.0/0 meta l4proto tcp reject with tcp reset
    ip daddr 0.0.0.0/0 reject
  }
}
END

cd "$root"
mount --make-private "$root"
pivot_root . oldroot
# In a container systemd takes its own arguments for the kernel's. With the hybrid layout, Debian's default, the tree
# name=systemd is only a copy of the version 2 tree, and groups that runc wants there are missing.
exec chroot . /bin/sh -c '
  umount -l /oldroot
  mount --make-rshared /
  exec env -i container=kw PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \
    systemd.unified_cgroup_hierarchy='"$unified"' systemd.legacy_systemd_cgroup_controller=1
' < /dev/null
