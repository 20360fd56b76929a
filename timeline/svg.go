package timeline

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"sync"
	"text/template"
)

// The sizes of the picture, in pixels.
const (
	labelWidth = 200 // names of the lanes
	plotWidth  = 900
	rightSpace = 90 // for what is written behind a mark at the end
	laneHeight = 22
	headHeight = 40
	footHeight = 30
	// named is how wide a span has to be for its name to stand in it, for each letter.
	letterWidth = 6.5
)

// SVG draws timelines below each other on one scale, so that they can be compared.
func SVG(list ...*Timeline) ([]byte, error) {
	d := drawing{Width: labelWidth + plotWidth + rightSpace, PlotX: labelWidth, PlotRight: labelWidth + plotWidth}
	longest := 0.0
	for _, t := range list {
		longest = max(longest, t.end())
	}
	if longest == 0 {
		longest = 1
	}
	scale := func(seconds float64) float64 { return labelWidth + round(max(seconds, 0)/longest*plotWidth) }
	y := 0.0
	for _, t := range list {
		part := drawnTimeline{Title: fmt.Sprintf("%s: %.1f s", t.Title, t.Seconds), Y: y, End: scale(t.Seconds)}
		y += headHeight
		for _, l := range t.Lanes {
			part.Lanes = append(part.Lanes, drawLane(l, y, scale))
			y += laneHeight
		}
		part.Top, part.Bottom = part.Y+headHeight-6, y
		d.Timelines = append(d.Timelines, part)
	}
	d.Bottom = y
	d.Height = y + footHeight
	step := tick(longest)
	for n := 0; float64(n)*step <= longest*1.0001; n++ {
		at := float64(n) * step
		d.Ticks = append(d.Ticks, drawnTick{X: scale(at), Text: fmt.Sprintf("%g s", math.Round(at*1000)/1000)})
	}
	var out bytes.Buffer
	if err := picture().Execute(&out, d); err != nil {
		return nil, fmt.Errorf("cannot draw the timeline: %w", err)
	}
	return out.Bytes(), nil
}

// end is when the last thing happened: some of what is seen ends after the run.
func (t *Timeline) end() float64 {
	last := t.Seconds
	for _, l := range t.Lanes {
		for _, s := range l.Spans {
			last = max(last, s.To)
		}
		for _, m := range l.Marks {
			last = max(last, m.At)
		}
	}
	return last
}

// tick is a round number of seconds that divides a time into five to twelve parts.
func tick(longest float64) float64 {
	for unit := 0.001; ; unit *= 10 {
		for _, n := range []float64{1, 2, 5} {
			if longest/(unit*n) <= 12 {
				return unit * n
			}
		}
	}
}

func drawLane(l Lane, y float64, scale func(float64) float64) drawnLane {
	out := drawnLane{Name: l.Name, Y: y, Text: y + laneHeight - 7}
	for _, s := range l.Spans {
		b := drawnSpan{Name: s.Name, About: fmt.Sprintf("%s: %.3f s to %.3f s, %.3f s", s.Name, s.From, s.To, s.To-s.From), X: scale(s.From)}
		b.Width = max(round(scale(s.To)-b.X), 1)
		b.Named = b.Width > letterWidth*float64(len(s.Name))
		out.Spans = append(out.Spans, b)
	}
	for _, m := range l.Marks {
		out.Marks = append(out.Marks, drawnMark{Name: m.Name, About: fmt.Sprintf("%s at %.3f s", m.Name, m.At), X: scale(m.At)})
	}
	// A name stands behind its mark, as far as the next one leaves room.
	for i := range out.Marks {
		room := float64(labelWidth + plotWidth + rightSpace)
		if i+1 < len(out.Marks) {
			room = out.Marks[i+1].X
		}
		out.Marks[i].Named = room-out.Marks[i].X > letterWidth*float64(len(out.Marks[i].Name)+2)
	}
	return out
}

func round(x float64) float64 { return math.Round(x*10) / 10 }

// What the template prints.
type (
	drawing struct {
		Width, Height, PlotX, PlotRight, Bottom float64
		Ticks                                   []drawnTick
		Timelines                               []drawnTimeline
	}
	drawnTick struct {
		X    float64
		Text string
	}
	drawnTimeline struct {
		Title               string
		Y, Top, Bottom, End float64
		Lanes               []drawnLane
	}
	drawnLane struct {
		Name    string
		Y, Text float64
		Spans   []drawnSpan
		Marks   []drawnMark
	}
	drawnSpan struct {
		Name, About string
		X, Width    float64
		Named       bool
	}
	drawnMark struct {
		Name, About string
		X           float64
		Named       bool
	}
)

//go:embed timeline.svg.tmpl
var source string

// picture is part of the program: that it parses is tested. It is parsed for the first drawing.
var picture = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("svg").Funcs(template.FuncMap{
		"add": func(a, b float64) float64 { return round(a + b) },
	}).Option("missingkey=error").Parse(source))
})
