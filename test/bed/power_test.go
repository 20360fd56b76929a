package bed

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// TestBedPower boots machines at the same time, lets some serve behind the load balancer, and powers one off and on.
func TestBedPower(t *testing.T) {
	lab := NewLab(t)
	all := lab.MachinesAtOnce(t, Spec{Name: "a"}, Spec{Name: "b"}, Spec{Name: "c"})
	a, b := all[0], all[1]
	for _, m := range all {
		acquainted(t, m, all)
	}
	for _, m := range all {
		if mac := linkAddress(t, m.hostEnd()); mac == linkAddress(t, lab.prefix()+"br") {
			t.Errorf("the bridge has the MAC address of %s, and changes it when that goes", m.Name)
		}
	}
	url := "http://" + lab.LoadBalancer(t) + "/hostname"
	if who := ask(url); who != "" {
		t.Errorf("%q answers before anybody serves", who)
	}
	serve := func(m *Machine) {
		m.MustRun(t, "systemd-run", "--unit=web", "busybox", "httpd", "-f", "-p", "6443", "-h", "/etc")
	}
	serve(a)
	serve(b)
	waitFor(t, func() bool { return ask(url) == "a" })
	waitFor(t, func() bool { return ask(url) == "b" })

	if err := a.PowerOff(); err != nil {
		t.Fatal(err)
	}
	if a.Init().Alive() || a.condition() != "off" {
		t.Errorf("a is %s, its init alive: %v; want it to be off", a.condition(), a.Init().Alive())
	}
	for range 5 {
		if who := ask(url); who != "b" {
			t.Errorf("%q answers; want b", who)
		}
	}
	if err := lab.Balancer().kill(syscall.SIGKILL, nil); err != nil {
		t.Fatal(err)
	}
	lab.LoadBalancer(t) // another one
	if who := ask(url); who != "b" {
		t.Errorf("%q answers at the second load balancer; want b", who)
	}
	if err := a.PowerOn(); err != nil {
		t.Fatal(err)
	}
	acquainted(t, a, all)
	serve(a)
	waitFor(t, func() bool { return ask(url) == "a" })
}

// acquainted expects that a machine knows the others' names, and the ways to them and to their pods.
func acquainted(t *testing.T, m *Machine, all []*Machine) {
	t.Helper()
	routes := m.MustRun(t, "ip", "route")
	for _, o := range all {
		m.MustRun(t, "ping", "-c1", "-W5", o.Name)
		if o != m && !strings.Contains(routes, o.PodRange()+" via "+o.IP()+" ") {
			t.Errorf("%s knows no way to the pods of %s:\n%s", m.Name, o.Name, routes)
		}
	}
}

// linkAddress is the MAC address of a link of the host.
func linkAddress(t *testing.T, name string) string {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return link.Attrs().HardwareAddr.String()
}

// ask gets a URL over a new connection; "" if nobody answers.
func ask(url string) string {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return strings.TrimSpace(string(body))
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !what(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 30 s")
		}
	}
}
