package cmd

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
)

// trouble is what is wrong around a machine for a whole run.
type trouble struct {
	scene string
	begin func(s *scene)
	heal  func(s *scene)
	// says is what the error has to have; goesOn means that the run comes to its end nevertheless, with these words.
	says   []string
	goesOn bool
}

func busTroubles() map[string]trouble {
	noBus := errors.New("cannot connect to systemd: dial unix /run/dbus/system_bus_socket: no such file\nis D-Bus running?")
	fails := func(verb, result string) func(*scene) {
		return func(s *scene) { s.systemd.Fail(verb, config.KubeletService, result) }
	}
	kubelet := "cannot restart kubelet.service: job "
	list := map[string]trouble{
		"no bus": {"join worker", func(s *scene) { s.noSystemd = noBus }, func(s *scene) { s.noSystemd = nil },
			[]string{"system_bus_socket: no such file", "is D-Bus running?"}, false},
		"no bus for reset": {"reset worker", func(s *scene) { s.noSystemd = noBus }, func(s *scene) { s.noSystemd = nil },
			[]string{"system_bus_socket: no such file", "is D-Bus running?"}, false},
		"job waits": {"join worker", func(s *scene) { s.systemd.Block("restart", config.KubeletService, "network-online.target") },
			func(s *scene) { s.systemd.Block("restart", config.KubeletService) }, []string{kubelet + "is still waiting", "network-online.target"}, false},
		"not enabled": {"join worker", fails("enable", "Access denied"), fails("enable", ""), []string{"cannot enable kubelet.service: Access denied"}, false},
	}
	for result, says := range map[string]string{"failed": "failed", "dependency": "failed because a unit that it requires", "canceled": "was canceled", "timeout": "timed out"} {
		list["job "+result] = trouble{"join worker", fails("restart", result), fails("restart", ""), []string{kubelet + says}, false}
		list["stop "+result] = trouble{"reset worker", fails("stop", result), fails("stop", ""), []string{"cannot stop kubelet.service: job " + says}, false}
	}
	return list
}

func runtimeTroubles() map[string]trouble {
	lasting := func(text string) func(*scene) {
		return func(s *scene) {
			s.runtime.PullErr = map[string]error{"registry.k8s.io/kube-apiserver:v1.37.2": &host.LastingError{Err: errors.New("cannot pull image registry.k8s.io/kube-apiserver:v1.37.2: " + text)}}
		}
	}
	pulls := func(s *scene) { s.runtime.PullErr = nil }
	works := func(s *scene) { s.runtime.Err = nil }
	dead := errors.New("cannot ask the container runtime: connection refused")
	return map[string]trouble{
		// The checks are ignored, so that these are warnings.
		"no socket": {"join worker", func(s *scene) {
			s.noRuntime = errors.New("cannot reach the container runtime: there is no such socket")
		},
			func(s *scene) { s.noRuntime = nil }, []string{"WARNING"}, true},
		"image missing":   {"init", lasting("not found"), pulls, []string{"cannot pull image registry.k8s.io/kube-apiserver:v1.37.2: not found"}, true},
		"pull denied":     {"init", lasting("access denied"), pulls, []string{"access denied"}, true},
		"disk full":       {"init", lasting("no space left on device"), pulls, []string{"no space left on device"}, true},
		"dead at the end": {"reset worker", func(s *scene) { s.runtime.SetPods(host.Pod{ID: "1"}); s.runtime.Err = dead }, works, []string{"connection refused"}, false},
	}
}

// persistent lets requests whose path has a text be disturbed, of a kind of method or of all.
func persistent(method, path string, by disturbance) func(*scene) {
	return func(s *scene) {
		s.cluster.disturb = func(r *http.Request) disturbance {
			if (method == "" || r.Method == method) && strings.Contains(r.URL.Path, path) {
				return by
			}
			return nil
		}
	}
}

func apiTroubles() map[string]trouble {
	calm := func(s *scene) { s.cluster.disturb = nil }
	const map1 = "configmaps/kubeadm-config"
	list := map[string]trouble{
		"forbidden": {"init", persistent(http.MethodPatch, map1, says(403, "Forbidden", "admission webhook x denied the request")), calm,
			[]string{"cannot apply ConfigMap kube-system/kubeadm-config: ", "admission webhook x denied the request"}, false},
		"invalid": {"init", persistent(http.MethodPatch, map1, says(422, "Invalid", "x is invalid")), calm, []string{"kubeadm-config: x is invalid"}, false},
		"no lock": {"join control plane", persistent("", "/leases", says(403, "Forbidden", "no rights")), calm, []string{"kubewright-etcd", "no rights"}, false},
		"slow": {"join control plane", persistent("", "", func(w http.ResponseWriter, r *http.Request, answer http.HandlerFunc) {
			time.Sleep(300 * time.Millisecond)
			answer(w, r)
		}), calm, nil, true},
		"join reads": {"join worker", persistent("", map1, says(403, "Forbidden", "no")), calm, []string{"cannot read the configuration of the cluster"}, false},
	}
	return list
}

func etcdTroubles() map[string]trouble {
	status := func(change func(*pb.StatusResponse)) func(*scene) {
		return func(s *scene) {
			s.etcd.Lock()
			defer s.etcd.Unlock()
			for _, st := range s.etcd.Status {
				change(st)
			}
		}
	}
	well := status(func(st *pb.StatusResponse) { st.Leader, st.Errors = 1, nil })
	adds := func(errs ...error) func(*scene) {
		return func(s *scene) {
			s.etcd.Lock()
			defer s.etcd.Unlock()
			s.etcd.Add = errs
		}
	}
	return map[string]trouble{
		"no leader":            {"join control plane", status(func(st *pb.StatusResponse) { st.Leader = 0 }), well, []string{"cannot add member cp2", "no leader"}, false},
		"NOSPACE":              {"join control plane", status(func(st *pb.StatusResponse) { st.Errors = []string{"memberID:1 alarm:NOSPACE "} }), well, []string{"NOSPACE", "etcdctl alarm disarm"}, false},
		"CORRUPT":              {"join control plane", status(func(st *pb.StatusResponse) { st.Errors = []string{"memberID:1 alarm:CORRUPT "} }), well, []string{"CORRUPT", "etcdctl endpoint hashkv"}, false},
		"add refused":          {"join control plane", adds(rpctypes.ErrGRPCPermissionDenied), adds(), []string{"cannot add member cp2", "permission denied"}, false},
		"answers lost":         {"join control plane", func(s *scene) { s.etcd.Lose = 2 }, func(*scene) {}, nil, true},
		"answer lost to reset": {"reset control plane", func(s *scene) { s.etcd.Lose = 1 }, func(*scene) {}, nil, true},
		"slow disk":            {"join control plane", func(s *scene) { s.etcd.OnList = func() { time.Sleep(300 * time.Millisecond) } }, func(*scene) {}, nil, true},
		"no room":              {"join control plane", adds(rpctypes.ErrGRPCNoSpace), adds(), []string{"database space exceeded", "etcdctl alarm disarm"}, false},
		"add fails once":       {"join control plane", adds(rpctypes.ErrGRPCLeaderChanged, rpctypes.ErrGRPCTimeout), adds(), nil, true},
	}
}

// TestTroubles: what is wrong around a machine is told, soon and once; and when it is well, the same command comes to its end.
func TestTroubles(t *testing.T) {
	for group, list := range map[string]map[string]trouble{"bus": busTroubles(), "runtime": runtimeTroubles(), "api": apiTroubles(), "etcd": etcdTroubles()} {
		for name, c := range list {
			t.Run(group+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := scenes()[c.scene](t)
				c.begin(s)
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				code, stdout, stderr := s.runFor(ctx, s.args...)
				if ctx.Err() != nil || c.goesOn != (code == 0) {
					t.Errorf("exit code %d, %v", code, ctx.Err())
				}
				_, message, _ := strings.Cut(stderr, "error: ")
				if c.goesOn {
					message = stderr
				}
				for _, want := range c.says {
					if !strings.Contains(message, want) {
						t.Errorf("no %q", want)
					}
				}
				if t.Failed() {
					t.Fatalf("%s%s", stdout, stderr)
				}
				s.noTemporary(t, change{name, "trouble"})
				c.heal(s)
				output := joined(t, s.fakeMachine, s.args...)
				s.rest()
				s.settled(t)
				if again := joined(t, s.fakeMachine, s.args...); !strings.Contains(again, "Nothing to do") {
					t.Errorf("healed:\n%s\none more run:\n%s", output, again)
				}
			})
		}
	}
}
