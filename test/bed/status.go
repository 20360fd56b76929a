package bed

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Status lists the labs and machines that are recorded.
func Status(cache Cache, out io.Writer) error {
	labs, err := ListLabs(cache)
	if err != nil {
		return err
	}
	if len(labs) == 0 {
		fmt.Fprintln(out, "nothing is up")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "LAB\tOWNER\tMACHINE\tADDRESS\tPODS\tSTATE\tPID ON THE HOST")
	for _, l := range labs {
		owner := "-"
		switch {
		case l.Owner.PID != 0 && l.Owner.Alive():
			owner = fmt.Sprint("process ", l.Owner.PID)
		case l.Owner.PID != 0:
			owner = "dead"
		}
		for _, m := range l.Machines() {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", l.Name, owner, m.Name, m.IP(), m.PodRange(), m.condition(), m.Init().PID)
		}
		if lb := l.Balancer(); lb.PID != 0 {
			state := "dead"
			if lb.Alive() {
				state = "up"
			}
			fmt.Fprintf(w, "%s\t%s\tload balancer\t%s\t-\t%s\t%d\n", l.Name, owner, l.Endpoint(), state, lb.PID)
		}
		if len(l.Machines()) == 0 {
			fmt.Fprintf(w, "%s\t%s\tnone\n", l.Name, owner)
		}
	}
	return w.Flush()
}

// condition says in a word whether the machine runs.
func (m *Machine) condition() string {
	s := m.current()
	switch {
	case s.Up && s.Init.Alive():
		return "up"
	case s.Init.Alive():
		return "booting"
	case s.Up:
		return "dead"
	}
	return "off"
}
