package etcd

import (
	"fmt"
	"strings"
)

// mending says what helps against an alarm that an error tells of; empty for every other error.
func mending(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "NOSPACE") || strings.Contains(text, "database space exceeded"):
		return "etcd has used up its quota: compact and defragment it (etcdctl compact, etcdctl defrag), or raise quota-backend-bytes; then: etcdctl alarm disarm"
	case strings.Contains(text, "CORRUPT") || strings.Contains(text, "corrupt cluster"):
		return "the members have different data: find out which one is wrong (etcdctl endpoint hashkv --cluster), and replace it"
	}
	return ""
}

// explained adds to an error what helps.
func explained(err error) error {
	if mend := mending(err); mend != "" {
		return fmt.Errorf("%w\n%s", err, mend)
	}
	return err
}
