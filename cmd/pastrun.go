package cmd

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/kubewright/kubewright/plan"
)

// pastRun is what `history -o json` prints of a run; without the name of one, Phases and Steps are left out.
type pastRun struct {
	// Run is its name, and Command what was run, as in "init".
	Run     string    `json:"run"`
	Command string    `json:"command"`
	Version string    `json:"version,omitempty"`
	Began   time.Time `json:"began"`
	// Seconds is how long it took; null where no end is on record.
	Seconds *float64 `json:"seconds"`
	// Changes counts the recorded ones.
	Changes int `json:"changes"`
	// Result is done, failed, stopped or unfinished, and Error what it ended with.
	Result plan.Result `json:"result"`
	Error  string      `json:"error,omitempty"`
	// TakenBack says that reset or rollback has undone it.
	TakenBack bool `json:"takenBack,omitempty"`
	// Of names the runs that a rollback is about.
	Of     []string    `json:"of,omitempty"`
	Phases []pastPhase `json:"phases,omitempty"`
	Steps  []pastStep  `json:"steps,omitempty"`
}

// pastPhase is one phase of a run.
type pastPhase struct {
	Phase string `json:"phase"`
	// Seconds is how long it took; null where the run was killed in it.
	Seconds *float64 `json:"seconds"`
	Changes int      `json:"changes"`
	Failed  bool     `json:"failed,omitempty"`
}

// pastStep is one change of a run.
type pastStep struct {
	Phase  string `json:"phase"`
	Step   string `json:"step"`
	Change string `json:"change"`
	Why    string `json:"why,omitempty"`
	// Seconds is how long it took; null where it is not known whether it was done.
	Seconds *float64 `json:"seconds"`
	Final   bool     `json:"final,omitempty"`
}

func newPastRun(r plan.PastRun) pastRun {
	p := pastRun{
		Run: r.ID(), Command: r.Command, Version: r.Run.Version, Began: r.Run.Time, Changes: len(r.Records), Result: r.Result(),
		TakenBack: filepath.Dir(r.Dir) == plan.PastDir && !slices.Contains(undoing(), r.Command), Of: r.Run.Of,
	}
	if r.End != nil {
		took := r.End.Time.Sub(p.Began).Seconds()
		p.Seconds, p.Error = &took, r.End.Error
	}
	for _, ph := range r.Phases {
		p.Phases = append(p.Phases, pastPhase{Phase: ph.Phase, Seconds: &ph.Seconds, Changes: ph.Changes, Failed: ph.Failed})
	}
	for _, rec := range r.Records {
		s := pastStep{Phase: rec.Phase, Step: rec.Step, Change: rec.Kind, Why: rec.Why, Final: rec.Final}
		if done, ok := r.Done[rec.N]; ok {
			s.Seconds = &done.Seconds
		}
		p.Steps = append(p.Steps, s)
	}
	p.addCutOff()
	return p
}

// addCutOff adds the phase in which the run was killed: it has changes and no end.
func (p *pastRun) addCutOff() {
	for _, s := range p.Steps {
		i := slices.IndexFunc(p.Phases, func(ph pastPhase) bool { return ph.Phase == s.Phase })
		if i < 0 {
			p.Phases, i = append(p.Phases, pastPhase{Phase: s.Phase}), len(p.Phases)
		}
		if p.Phases[i].Seconds == nil {
			p.Phases[i].Changes++
		}
	}
}
