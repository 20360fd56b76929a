package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Validate says everything that is wrong with the input, each problem with the path of its field in v1beta4 and with what
// would be right. Call it after SetDefaults. An empty criSocket is right: a machine whose runtime is gone can be reset, too. The
// names of phases and checks are left to the command.
func (r *Reset) Validate() error {
	p := &problems{}
	if r.CertificatesDir != "" {
		checkAbsolute(p, "certificatesDir", r.CertificatesDir)
		if path.Clean(r.CertificatesDir) == "/" {
			p.add("certificatesDir", "it would be emptied; give the directory that holds certificates only")
		}
	}
	if r.CRISocket != "" {
		checkSocket(p, "criSocket", r.CRISocket)
	}
	checkIgnored(p, "ignorePreflightErrors", r.IgnorePreflightErrors)
	r.checkUnmountFlags(p)
	r.Timeouts.check(p)
	return p.err()
}

func (r *Reset) checkUnmountFlags(p *problems) {
	const field = "unmountFlags"
	known := []string{UnmountForce, UnmountDetach, UnmountExpire, UnmountNoFollow}
	for i, flag := range r.UnmountFlags {
		if !slices.Contains(known, flag) {
			p.add(fmt.Sprintf("%s[%d]", field, i), "%q is not one of %s", flag, strings.Join(known, ", "))
		}
	}
	for _, other := range []string{UnmountForce, UnmountDetach} {
		if slices.Contains(r.UnmountFlags, UnmountExpire) && slices.Contains(r.UnmountFlags, other) {
			p.add(field, "the kernel takes %s not together with %s; give one of them", UnmountExpire, other)
		}
	}
}
