package host

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const mountTable = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:5 / /proc rw - proc proc rw
40 22 0:6 / /var/lib/kubelet rw shared:7 - ext4 /dev/vdb rw
41 40 0:7 / /var/lib/kubelet/pods/a/volumes/tok\040en rw,relatime shared:1 master:2 - tmpfs tmpfs rw
42 40 0:8 /sub /var/lib/kubelet/pods/b rw - nfs4 server:/x rw
43 42 0:8 /sub /var/lib/kubelet/pods/b rw - fuse.s3 bucket rw
44 40 0:9 / /var/lib/kubelet/pods/c rw - tmpfs  rw
45 22 0:9 / /var/lib/kubelet-old/x rw - tmpfs tmpfs rw
39 43 0:9 / /var/lib/kubelet/pods/b/deep rw - tmpfs tmpfs rw
`

func TestMountsBelow(t *testing.T) {
	h := newHost(t)
	if list, err := h.MountsBelow("/var/lib/kubelet"); len(list) != 0 || err != nil {
		t.Errorf("without a mountinfo: %v, %v", list, err)
	}
	plant(t, h, "/proc/self/", "/var/lib/kubelet/", "/link->/var/lib/kubelet", "/other->var")
	must(t, h.AppendFile(mountInfo, []byte(mountTable), 0o644))
	pods := "/var/lib/kubelet/pods/"
	below := []Mount{{pods + "b/deep", "tmpfs"}, {pods + "b", "fuse.s3"}, {pods + "c", "tmpfs"}, {pods + "b", "nfs4"},
		{pods + "a/volumes/tok en", "tmpfs"}}
	for path, want := range map[string][]Mount{
		"/var/lib/kubelet": below, "/link": below, "/other/lib/kubelet/": below, "/none": nil,
		"/var/lib/kubelet/pods/a": below[4:], "/var/lib/kubelet-old": {{"/var/lib/kubelet-old/x", "tmpfs"}},
	} {
		got, err := h.MountsBelow(path)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", path, err, diff)
		}
	}
	if got, err := h.MountsBelow("/"); len(got) != 8 || err != nil {
		t.Errorf("below the root: %v, %v", got, err)
	}
	must(t, h.AppendFile(mountInfo, []byte("nonsense\n"), 0o644))
	if _, err := h.MountsBelow("/"); err == nil || err.Error() != `cannot read /proc/self/mountinfo: cannot understand "nonsense"` {
		t.Errorf("%v", err)
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{`a\040b\011\012\134c`: "a b\t\n\\c", `\04`: `\04`, `\999x`: `\999x`, `x\`: `x\`} {
		if got := unescape(in); got != want {
			t.Errorf("%s: %q", in, got)
		}
	}
}

func TestUnmount(t *testing.T) {
	h := newHost(t)
	if err := h.Unmount("/x", 0); err == nil {
		t.Error("unmounts below another root")
	}
	plant(t, h, "/proc/self/")
	must(t, h.AppendFile(mountInfo, []byte(mountTable), 0o644))
	var answers []error
	calls := 0
	h.Unmounter = func(_ string, flags int) error {
		if flags&unix.UMOUNT_NOFOLLOW == 0 {
			t.Error("follows links")
		}
		calls++
		return answers[calls-1]
	}
	const there = "/var/lib/kubelet/pods/c"
	for name, c := range map[string]struct {
		path    string
		flags   int
		answers []error
		want    error
	}{
		"done":         {there, 0, []error{nil}, nil},
		"gone":         {"/gone", 0, []error{unix.EINVAL}, nil},
		"no directory": {"/gone", 0, []error{unix.ENOENT}, nil},
		"locked":       {there, 0, []error{unix.EINVAL}, unix.EINVAL},
		"busy":         {there, 0, []error{unix.EBUSY}, unix.EBUSY},
		"again":        {there, 0, []error{unix.EAGAIN}, unix.EAGAIN},
		"expires":      {there, unix.MNT_EXPIRE, []error{unix.EAGAIN, nil}, nil},
	} {
		answers, calls = c.answers, 0
		if err := h.Unmount(c.path, c.flags); !errors.Is(err, c.want) || calls != len(c.answers) {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
}

func TestParseUnmountFlags(t *testing.T) {
	got, err := ParseUnmountFlags([]string{"MNT_FORCE", "MNT_DETACH", "UMOUNT_NOFOLLOW"})
	if want := unix.MNT_FORCE | unix.MNT_DETACH | unix.UMOUNT_NOFOLLOW; got != want || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	if got, err := ParseUnmountFlags([]string{"MNT_EXPIRE"}); got != unix.MNT_EXPIRE || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	for _, names := range [][]string{{"MNT_FORCE", "mnt_detach"}, {"MNT_EXPIRE", "MNT_FORCE"}} {
		if got, err := ParseUnmountFlags(names); err == nil {
			t.Errorf("%q: %d", names, got)
		}
	}
}

// What is found below a directory can be unmounted in the order in which it is given, whatever was mounted on what.
func TestUnmountAll(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h, real := newHost(t), &Host{Root: "/"}
	plant(t, h, "/k/a b/", "/k/c/d/", "/other/d/", "/link->k")
	for _, m := range [][2]string{{"/other", "/k/c"}, {"/other", "/k/c/d"}, {"/other", "/k/a b"}, {"/k/c", "/k/c"}, {"/other", "/k/c/d"}} {
		bind(t, h, m[0], m[1])
	}
	list, err := real.MountsBelow(h.Root + "/link")
	if len(list) != 5 || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	for _, m := range append(list, list...) {
		if err := real.Unmount(m.Path, 0); err != nil {
			t.Error(err)
		}
	}
	if list, err := real.MountsBelow(h.Root); len(list) != 0 || err != nil {
		t.Errorf("left: %v, %v", list, err)
	}
	must(t, real.RemoveTree(h.Root+"/k"))
}
