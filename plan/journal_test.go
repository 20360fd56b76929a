package plan_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
)

// The journal tells what was done and what was there before; old contents lie beside it, and only root reads them.
func TestJournal(t *testing.T) {
	tg := newTarget(t)
	write("/etc/ca.key", "OLDKEY", 0o600)(t, tg)
	r := newRunner(tg)
	if _, err := r.Run(context.Background(), parse(t, "phase certs\n secret /etc/ca.key NEWKEY\n file /etc/new x\n")); err != nil {
		t.Fatal(err)
	}
	text, err := tg.Host.ReadFile(filepath.Join(r.Journal.Dir(), "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "KEY") {
		t.Errorf("the journal's text holds a key:\n%s", text)
	}
	runs, err := plan.History(tg.Host)
	if err != nil || len(runs) != 1 {
		t.Fatalf("history: %+v, %v", runs, err)
	}
	past := runs[0]
	var steps []string
	for _, rec := range past.Records {
		_, done := past.Done[rec.N]
		steps = append(steps, fmt.Sprintf("%s %s blob=%s %t", rec.Kind, rec.Step, rec.Before.File.Blob, done))
	}
	want := []string{"update file /etc/ca.key blob=0001.before true", "create file /etc/new blob= true"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Error(diff)
	}
	blob := filepath.Join(r.Journal.Dir(), "0001.before")
	if data, err := tg.Host.ReadFile(blob); err != nil || string(data) != "OLDKEY" {
		t.Errorf("the old content is %q, %v", data, err)
	}
	for path, mode := range map[string]fs.FileMode{blob: 0o600, r.Journal.Dir(): 0o700} {
		if info, err := tg.Host.Stat(path); err != nil || info.Mode.Perm() != mode {
			t.Errorf("mode of %s is %v, %v; want %v", path, info.Mode.Perm(), err, mode)
		}
	}
}

// A change that can't be recorded is not made.
func TestNoChangeWithoutRecord(t *testing.T) {
	tg := newTarget(t)
	tg.Host.Fault = func(op, path string) error {
		if strings.HasPrefix(path, plan.RunsDir) {
			return errCrash
		}
		return nil
	}
	if _, err := newRunner(tg).Run(context.Background(), parse(t, "phase a\n file /etc/f x\n")); err == nil {
		t.Fatal("the run went on without a journal")
	}
	if tg.Host.Exists("/etc/f") {
		t.Error("the file was written although the journal was not")
	}
}

// When the disk of the journal gets full, the error is told once, although the note of the phase can't be written either.
func TestJournalFull(t *testing.T) {
	tg := newTarget(t)
	full := false
	tg.Host.Fault = func(op, path string) error {
		full = full || op == "append" && tg.Host.Exists("/etc/f")
		if full && op == "append" {
			return errCrash
		}
		return nil
	}
	_, err := newRunner(tg).Run(context.Background(), parse(t, "phase a\n file /etc/f x\n file /etc/g x\n"))
	if err == nil || strings.Count(err.Error(), "cannot write the journal") != 1 || tg.Host.Exists("/etc/g") {
		t.Errorf("error: %v", err)
	}
}

// TestJournalTidiesUp: a key that a crash left half-written beside an earlier journal does not stay.
func TestJournalTidiesUp(t *testing.T) {
	h := hosttest.New(t)
	const old = plan.RunsDir + "/20260101T000000.000Z-init"
	if err := h.MkdirAll(old, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/.0001.before.0123456789abcdef.tmp", "/0000.before"} {
		if err := os.WriteFile(h.Root+old+name, []byte("key"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := (&plan.Journal{Host: h, Command: "init"}).Write(plan.Record{Step: "x"}); err != nil {
		t.Fatal(err)
	}
	if names, err := h.ReadDir(old); err != nil || !slices.Equal(names, []string{"0000.before"}) {
		t.Errorf("%v %v", names, err)
	}
}
