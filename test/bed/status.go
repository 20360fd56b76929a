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
			state := "dead"
			if m.Init.Alive() {
				state = "up"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", l.Name, owner, m.Name, m.IP(), m.PodRange(), state, m.Init.PID)
		}
		if len(l.Machines()) == 0 {
			fmt.Fprintf(w, "%s\t%s\tnone\n", l.Name, owner)
		}
	}
	return w.Flush()
}
