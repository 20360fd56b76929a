package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ownNet is what the kernel tells of the network namespace that the calling thread is in.
const ownNet = "/proc/thread-self/net"

// legacy is iptables in the form that it had before nftables. The kernel takes and gives each of these tables as a whole, in a
// form that only iptables' own programs understand well enough to keep foreign rules as they are, so they are used for it.
type legacy struct {
	net string // ownNet
	owner
}

// legacyFamily is one family: the file in which the kernel names the tables that are loaded, and how its programs are called.
type legacyFamily struct{ names, program string }

var legacyFamilies = []legacyFamily{{"ip_tables_names", "iptables"}, {"ip6_tables_names", "ip6tables"}}

func legacyPart(name string, o owner) Part {
	l := legacy{ownNet, o}
	return Part{Name: name, Find: l.find, Remove: l.remove}
}

func (l legacy) find(ctx context.Context) ([]string, error) {
	var lines []string
	for _, f := range legacyFamilies {
		there, _, err := l.look(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, t := range there {
			for _, j := range t.rules {
				lines = append(lines, fmt.Sprintf("rule %q in table %s of %s-legacy", j, t.name, f.program))
			}
			for _, c := range t.chains {
				lines = append(lines, fmt.Sprintf("chain %s in table %s of %s-legacy", c, t.name, f.program))
			}
		}
	}
	return lines, nil
}

func (l legacy) remove(ctx context.Context) error {
	for _, f := range legacyFamilies {
		there, restore, err := l.look(ctx, f)
		if err != nil {
			return err
		}
		if len(there) == 0 {
			continue
		}
		var input strings.Builder
		for _, t := range there {
			t.write(&input)
		}
		if _, err := output(ctx, input.String(), restore, "--noflush", "--counters", "-w", "10"); err != nil {
			return fmt.Errorf("cannot delete chains from the legacy tables: %w", err)
		}
	}
	return nil
}

// look returns what is ours in the tables of a family, and the program that changes them.
func (l legacy) look(ctx context.Context, f legacyFamily) (there []legacyTable, restore string, err error) {
	names, err := os.ReadFile(filepath.Join(l.net, f.names))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("cannot see whether there are legacy tables of %s: %w", f.program, err)
	}
	if len(bytes.TrimSpace(names)) == 0 {
		return nil, "", nil
	}
	save, restore := f.programs(ctx)
	if save == "" {
		return nil, "", fmt.Errorf("cannot look into the legacy tables of %s (%s): there is no %s-legacy-save in PATH\n"+
			"install the package iptables with its legacy programs, or restart the machine: these rules do not outlive that",
			f.program, strings.Join(strings.Fields(string(names)), ", "), f.program)
	}
	saved, err := output(ctx, "", save)
	if err != nil {
		return nil, "", fmt.Errorf("cannot look into the legacy tables of %s: %w", f.program, err)
	}
	there, err = parseSaved(saved, l.owner)
	if err != nil {
		return nil, "", fmt.Errorf("cannot read what %s says: %w", save, err)
	}
	return there, restore, nil
}

// programs returns those for the legacy tables: by their own names, or by the general ones where these are of that form.
func (f legacyFamily) programs(ctx context.Context) (save, restore string) {
	for _, name := range []string{f.program + "-legacy", f.program} {
		if _, err := exec.LookPath(name + "-restore"); err != nil {
			continue
		}
		version, err := output(ctx, "", name+"-save", "--version")
		if err == nil && strings.Contains(version, "legacy") {
			return name + "-save", name + "-restore"
		}
	}
	return "", ""
}

// output runs a program and returns what it wrote. Its error has what it said about that.
func output(ctx context.Context, input, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(bytes.TrimSpace(exit.Stderr)) > 0 {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(out), nil
}
