package cmd

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd/etcdtest"
	"github.com/kubewright/kubewright/host"
)

// troubles are what a kernel answers whose disk is full, fails or may not be written to. The last comes in the middle of a write.
func troubles() []error {
	return []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EACCES, host.Short(3)}
}

// scene is a command on a machine where everything is ready for it. It ends well, or its test fails.
type scene struct {
	*fakeMachine
	args   []string
	before map[string]string // what is on the machine
	etcd   *etcdtest.Fake    // the cluster's, where it matters
	// secrets must not be printed.
	secrets []string
	// rest waits for what the kubelet does after the command.
	rest func()
	// settled checks what the tree does not show once the command has come to its end.
	settled func(t *testing.T)
}

// scenes are the commands, by name.
func scenes() map[string]func(t *testing.T) *scene {
	return map[string]func(t *testing.T) *scene{
		"init": func(t *testing.T) *scene {
			m, args := newUnborn(t)
			s := m.scene(args)
			s.settled = func(t *testing.T) {
				if tokens := m.cluster.tokens(); len(tokens) != 1 {
					t.Errorf("tokens %v", tokens)
				}
			}
			return s
		},
		"join worker": func(t *testing.T) *scene {
			m, args := newWorker(t)
			return m.scene(args, joinToken)
		},
		"join control plane": func(t *testing.T) *scene {
			c, e := newStacked(t)
			m, key := newMachine(t, c, "cp2"), c.upload(t)
			runEtcd(t, m, e)
			s := m.scene(c.controlPlane(key), joinToken, key)
			s.etcd, s.rest = e, func() {} // it goes on
			s.settled = func(t *testing.T) {
				e.Lock()
				defer e.Unlock()
				if own := ownMember(e); own == nil || own.IsLearner || len(e.Members) != 2 {
					t.Errorf("members %v, calls %v", e.Members, e.Calls)
				}
				if c.objects[leases+"/kubewright-etcd"] != nil {
					t.Error("the lock of etcd's members is held")
				}
			}
			return s
		},
		"reset worker": func(t *testing.T) *scene {
			m, args := newWorker(t)
			joined(t, m, args...)
			m.done.Wait()
			return m.scene([]string{"reset", "--force"})
		},
		"reset control plane": func(t *testing.T) *scene {
			m, _, e := newControlPlane(t)
			s := m.scene([]string{"reset", "--force"})
			s.etcd, s.rest = e, func() {}
			s.settled = func(t *testing.T) {
				withoutData(t, m.tree())
				e.Lock()
				defer e.Unlock()
				if ownMember(e) != nil || len(e.Members) != 1 {
					t.Errorf("members %v", e.Members)
				}
			}
			return s
		},
	}
}

// scene puts files of before on the machine that the command changes.
func (m *fakeMachine) scene(args []string, secrets ...string) *scene {
	m.t.Helper()
	if args[0] != "reset" {
		m.write(config.KubeletDropIn, []byte("[Service]\n# old\n"))
		m.write("/var/lib/kubelet/config.yaml", []byte("# old\n"))
	}
	return &scene{fakeMachine: m, args: args, before: m.tree(), secrets: secrets, rest: m.done.Wait, settled: func(*testing.T) {}}
}

// change is one call of the host's Fault.
type change struct{ op, path string }

func (c change) String() string { return c.op + " " + c.path }

// failing runs the command while the changes that fails chooses, by their number, fail, and says which did.
func (s *scene) failing(fails func(n int, c change) error) (code int, output string, all, failed []change) {
	var mu sync.Mutex
	s.host.Fault = func(op, path string) error {
		mu.Lock()
		defer mu.Unlock()
		c := change{op, path}
		all = append(all, c)
		err := fails(len(all), c)
		if err != nil {
			failed = append(failed, c)
		}
		return err
	}
	code, stdout, stderr := s.run(s.args...)
	s.host.Fault = nil
	return code, stdout + stderr, all, failed
}

// shape is a tree by paths and modes; times in names are left out.
func (s *scene) shape() []string {
	stamp := regexp.MustCompile(`(\.reset|\.removed|kubelet-client)-[0-9TZ:-]+`)
	var list []string
	for path, text := range s.tree() {
		mode, _, _ := strings.Cut(text, " ")
		list = append(list, stamp.ReplaceAllString(path, "$1")+" "+mode)
	}
	slices.Sort(list)
	return list
}

// sample says how far it is from one change that fails to the next, and with which error to begin. A sample is enough for each day;
// KUBEWRIGHT_FAULTS=N lets all changes fail, one after the other, from error N on.
func sample(changes int) (stride, shift int) {
	if shift, err := strconv.Atoi(os.Getenv("KUBEWRIGHT_FAULTS")); err == nil {
		return 1, shift
	}
	return 1 + changes/6, 0
}

// TestWritesFail lets changes of files fail that a command makes, with every error of a kernel in turn. The error names the path and
// the cause, nothing is lost, half-written or told that is secret, and the same command again comes to the end that it has without.
func TestWritesFail(t *testing.T) {
	for name, prepare := range scenes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := prepare(t)
			code, output, all, _ := s.failing(func(int, change) error { return nil })
			if code != 0 || len(all) < 30 {
				t.Fatalf("exit code %d, %d changes\n%s", code, len(all), output)
			}
			s.rest()
			s.settled(t)
			want := s.shape()
			stride, shift := sample(len(all))
			for n, at := shift, 1; at <= len(all); n, at = n+1, at+stride {
				trouble := troubles()[n%len(troubles())]
				t.Run(fmt.Sprint(at), func(t *testing.T) {
					t.Parallel()
					s := prepare(t)
					code, output, _, failed := s.failing(func(n int, _ change) error {
						if n == at {
							return trouble
						}
						return nil
					})
					s.told(t, code, output, failed[0], trouble)
					s.heals(t, failed, want)
				})
			}
		})
	}
}

// told checks that a command has failed for one change, and has said so.
func (s *scene) told(t *testing.T, code int, output string, failed change, trouble error) {
	t.Helper()
	cause := trouble.Error()
	if code == 0 && s.args[0] == "reset" && failed.op == "append" && !strings.Contains(output, cause) {
		return // how long a phase took: it was written with the next record
	}
	// Parts of a reset that fail are each told, and what ends it then.
	_, message, _ := strings.Cut(output, "error: ")
	times := strings.Count(output, cause)
	parts := max(1, strings.Count(message, "\n- ")) + strings.Count(message, "\nbefore that, ")
	if code == 0 || !strings.Contains(message, failed.path) || times != parts {
		t.Errorf("%s: exit code %d, told %d times that %s:\n%s", failed, code, times, cause, output)
	}
	for _, secret := range append(s.secrets, "PRIVATE KEY") {
		if strings.Contains(output, secret) {
			t.Errorf("%s: the output has a secret:\n%s", failed, output)
		}
	}
}

// TestDiskStaysFull lets all that needs room fail from some change on, and TestDiskTurnsReadOnly everything: each trouble is told once, a
// reset does the parts that need no room, and when the disk is well again the same command comes to its end.
func TestDiskStaysFull(t *testing.T) {
	needsRoom := []string{"create", "write", "append", "mkdir"}
	lastingFault(t, syscall.ENOSPC, func(c change) bool { return slices.Contains(needsRoom, c.op) })
}

func TestDiskTurnsReadOnly(t *testing.T) {
	lastingFault(t, syscall.EROFS, func(c change) bool { return c.op != "lock" }) // that is in memory
}

func lastingFault(t *testing.T, trouble error, hits func(c change) bool) {
	for name, prepare := range scenes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := prepare(t)
			_, _, all, _ := s.failing(func(int, change) error { return nil })
			s.rest()
			want := s.shape()
			stride, _ := sample(len(all))
			for at := 2; at <= len(all); at += stride * 3 {
				t.Run(fmt.Sprint(at), func(t *testing.T) {
					t.Parallel()
					s := prepare(t)
					code, output, _, failed := s.failing(func(n int, c change) error {
						if n >= at && hits(c) {
							return trouble
						}
						return nil
					})
					if len(failed) == 0 {
						return // it needed no room any more
					}
					if code == 0 {
						t.Fatalf("exit code %d, failed: %v\n%s", code, failed, output)
					}
					s.told(t, code, output, failed[0], trouble)
					s.heals(t, failed, want)
				})
			}
		})
	}
}

// heals checks what is left of a run whose changes have failed, runs the command again without faults, and compares the end.
func (s *scene) heals(t *testing.T, failed []change, want []string) {
	t.Helper()
	after, keys := s.tree(), s.keys()
	s.noTemporary(t, failed[0])
	output := joined(t, s.fakeMachine, s.args...)
	s.rest()
	s.settled(t)
	if diff := cmp.Diff(want, s.shape()); diff != "" {
		t.Errorf("%s: the end differs from that of a run without faults (-without +with):\n%s\n%s", failed[0], diff, output)
	}
	end := s.tree()
	if record := "/var/lib/kubewright"; s.args[0] == "reset" && len(failed) == 1 && !strings.HasPrefix(failed[0].path, record) &&
		failed[0].op != "lock" && !strings.Contains(failed[0].path, "etcd") { // the part that leaves etcd ends the run
		for path := range after { // all else is done
			if _, stays := end[path]; !stays && !strings.HasPrefix(path, failed[0].path) && !strings.HasPrefix(failed[0].path, path) {
				t.Errorf("%s: %s was not done", failed[0], path)
			}
		}
	}
	for path, text := range s.before {
		if have := after[path]; have != text && have != end[path] {
			t.Errorf("%s: %s was neither old nor new, but %q", failed[0], path, have)
		}
	}
	if s.args[0] != "reset" {
		for path, key := range s.keys() {
			if was, there := keys[path]; there && was != key {
				t.Errorf("%s: %s was made again", failed[0], path)
			}
		}
	}
	if output := joined(t, s.fakeMachine, s.args...); !strings.Contains(output, "Nothing to do") {
		t.Errorf("%s: one more run:\n%s", failed[0], output)
	}
}

// noTemporary looks for half-written files, which may be keys.
func (s *scene) noTemporary(t *testing.T, failed change) {
	t.Helper()
	err := filepath.WalkDir(s.host.Root, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".tmp") {
			t.Errorf("%s: %s is left", failed, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
