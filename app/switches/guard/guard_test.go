package guard

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// window is n seconds after noon.
func window(n int, nT, nC, kT, kC int64) Window {
	return Window{At: noon.Add(time.Duration(n) * time.Second), With: Arm{Subjects: nT, Failed: kT}, Without: Arm{Subjects: nC, Failed: kC}}
}

func add(t *testing.T, s *State, w Window) {
	t.Helper()
	if err := s.Add(w); err != nil {
		t.Fatal(err)
	}
}

// TestEvidence compares with the formula, worked out by hand for one window: share 1/10, 3 of 4 failures with the feature.
func TestEvidence(t *testing.T) {
	t.Parallel()
	var s State
	add(t, &s, window(0, 100, 900, 3, 1))
	want := 0.0
	for _, theta := range []float64{1.25, 1.5, 2, 3, 5, 10, 30} {
		want += math.Pow(theta, 3) / math.Pow(0.9+0.1*theta, 4) / 7
	}
	if got := math.Exp(s.Errors.LogEvidence()); math.Abs(got-want) > 1e-9 {
		t.Errorf("evidence %v, want %v", got, want)
	}
}

// TestSkipped holds what says nothing: nobody on one side, and no failure.
func TestSkipped(t *testing.T) {
	t.Parallel()
	var s State
	for i, w := range []Window{window(0, 0, 900, 0, 50), window(1, 100, 0, 50, 0), window(2, 100, 900, 0, 0), window(3, 0, 0, 5, 5)} {
		add(t, &s, w)
		if s.Errors.LogEvidence() != 0 {
			t.Errorf("window %d changed the evidence", i)
		}
	}
}

func TestGlobalIncidentCancels(t *testing.T) {
	t.Parallel()
	var s State
	for i := range 600 {
		k := int64(1)
		if i > 100 && i < 400 {
			k = 50 // everybody fails half of the time
		}
		add(t, &s, window(10*i, 100, 900, k, 9*k))
		if v := s.Judge(Settings{}); v.Would != Watch {
			t.Fatalf("window %d: %s", i, v.Text)
		}
	}
}

// TestShareChanges ramps up in the middle of harmless and of harmful traffic.
func TestShareChanges(t *testing.T) {
	t.Parallel()
	for _, ratio := range []int64{1, 20} {
		var s State
		for i := range 300 {
			nT := int64(100)
			if i > 50 {
				nT = 2000
			}
			s.Change(noon, float64(nT)/40, "1")
			add(t, &s, window(i, nT, 4000-nT, ratio*nT/100, (4000-nT)/100))
		}
		if got := s.Judge(Settings{}).Would; (got == Kill) != (ratio == 20) {
			t.Errorf("×%d: %s", ratio, got)
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	broken := func() State {
		var s State
		w := window(0, 1204, 22796, 246, 46)
		w.People = People{With: 1204, Without: 22796, Expected: 0.05}
		add(t, &s, w)
		return s
	}
	few := window(0, 1000, 9000, 2, 1)
	some := func(w ...Window) (s State) {
		for _, w := range w {
			add(t, &s, w)
		}
		return s
	}
	skewed := window(0, 300, 700, 100, 1)
	skewed.People = People{With: 300, Without: 700, Expected: 0.5}
	alone, later := window(0, 1000, 0, 1, 0), window(900, 1000, 0, 90, 0)
	alone.Past, later.Past = Arm{Subjects: 1000, Failed: 1}, Arm{Subjects: 1000, Failed: 1}
	for _, c := range []struct {
		name   string
		state  State
		set    Settings
		action Action
		would  Action
		text   string
	}{
		{"kill", broken(), Settings{}, Kill, Kill, "killed: errors 20.4 % with it, 0.2 % without, in 1,204 of 24,000 exposures; evidence over a million millions, kill at 1,000"},
		{"may only hold", broken(), Settings{Mode: MayHold}, Hold, Kill, "held (this guard may not kill): errors 20.4 %"},
		{"shadow", broken(), Settings{Mode: Shadow}, Watch, Kill, "would have killed at 12:00: errors 20.4 %"},
		{"off", broken(), Settings{Mode: Idle}, Watch, Watch, "the guard of this switch is off"},
		{"nothing", State{}, Settings{}, Watch, Watch, "nothing was counted yet"},
		{"few", some(few), Settings{}, Watch, Watch, "watching: errors 0.2 % with it, 0.011 % without, in 1,000 of 10,000 exposures; 2 failures with it so far, judged from 5 on"},
		{"hold", some(window(0, 1000, 9000, 6, 7)), Settings{}, Hold, Hold, "held: errors 0.6 % with it, 0.078 % without, in 1,000 of 10,000 exposures; evidence 77, hold at 20"},
		{"quiet", some(window(0, 1000, 9000, 8, 70)), Settings{}, Watch, Watch, "watching: errors 0.8 % with it, 0.8 % without, in 1,000 of 10,000 exposures; evidence 0.2, hold at 20, kill at 1,000"},
		{"share", some(skewed), Settings{}, Hold, Hold, "held, and errors are not judged: 30 % of 1,000 people had it where 50 % were meant"},
		{"silent", some(window(0, 10, 90, 0, 0), window(900, 0, 90, 0, 1)), Settings{}, Hold, Hold, "held: nobody has had it since 12:00"},
		{"alone", some(alone, later), Settings{}, Watch, Watch, "watching: everyone has it, so there is nobody to compare with; errors 4.5 % now, 0.1 % before"},
	} {
		v := c.state.Judge(c.set)
		if v.Action != c.action || v.Would != c.would || !strings.HasPrefix(v.Text, c.text) {
			t.Errorf("%s: %s, would %s: %q; want %q", c.name, v.Action, v.Would, v.Text, c.text)
		}
		if (v.Warning != "") != (c.name == "alone") {
			t.Errorf("%s: warning %q", c.name, v.Warning)
		}
	}
}

// TestShadowMoment holds that the moment of the first decision is told later, too.
func TestShadowMoment(t *testing.T) {
	t.Parallel()
	var s State
	add(t, &s, window(123*60, 1000, 9000, 200, 18))
	s.Judge(Settings{Mode: Shadow})
	add(t, &s, window(200*60, 1000, 9000, 200, 18))
	if v := s.Judge(Settings{Mode: Shadow}); !strings.HasPrefix(v.Text, "would have killed at 14:03: ") {
		t.Error(v.Text)
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	var s State
	add(t, &s, window(0, 1000, 9000, 200, 18))
	s.Freeze([3]float64{1, 2, 3}, [3]float64{4, 5, 6})
	if s.Change(noon, 5, "a") || s.Change(noon, 10, "") || s.Errors.With == 0 {
		t.Error("more percent forgot the evidence")
	}
	if got := s.Freeze([3]float64{9, 9, 9}, [3]float64{9, 9, 9}); got.Slow[0] != 1 {
		t.Error("frozen boundaries moved")
	}
	if !s.Change(noon, 10, "b") || s.Errors.With != 0 || s.Bounds.Frozen {
		t.Error("another release kept the evidence")
	}
	for i := range MaxResets - 1 {
		if !s.Change(noon, 9-float64(i), "b") {
			t.Errorf("reset %d was refused", i+2)
		}
	}
	add(t, &s, window(0, 1000, 9000, 200, 18))
	if s.Change(noon, 1, "b") || s.Errors.With == 0 {
		t.Error("the limit of resets does not hold")
	}
	if v := s.Verdict(Settings{}); !strings.Contains(v.Warning, "8 times within a day, which is the limit") {
		t.Errorf("the limit is not told: %q", v.Warning)
	}
	if !s.Change(noon.Add(25*time.Hour), 0.5, "b") {
		t.Error("a day later the limit still holds")
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	var s State
	for i := range 20 {
		w := window(i, 100, 900, 1, 9)
		w.With.Requests, w.Without.Requests = 1000, 9000
		w.With.Slow, w.Without.Slow = Above{900, 300, 100}, Above{4500, 450, 90}
		w.With.Queries, w.Without.Queries = Above{500, 50, 10}, Above{4500, 450, 90}
		add(t, &s, w)
	}
	s.Freeze([3]float64{12_000, 80_000, 250_000}, [3]float64{3, 9, 30})
	if v := s.Verdict(Settings{}); v.Would != Watch || len(v.Findings) != 1 {
		t.Errorf("latency counted without being asked: %s", v.Text)
	}
	if v := s.Verdict(Settings{Queries: true}); v.Would != Watch {
		t.Error(v.Text)
	}
	v := s.Verdict(Settings{Latency: true, Queries: true})
	if v.Would != Kill || !strings.Contains(v.Text, "answers over 80.0 ms 30 % with it, 5 % without, in 20,000 of 200,000 requests") {
		t.Error(v.Text)
	}
}

func TestDispersion(t *testing.T) {
	t.Parallel()
	flat, jumpy := []int64{5, 5, 5, 5}, []int64{0, 20, 0, 20}
	for _, c := range []struct {
		hours [][]int64
		want  float64
	}{
		{nil, 1}, {[][]int64{{0, 0}}, 1}, {[][]int64{flat}, 1}, {[][]int64{jumpy}, 20}, {[][]int64{flat, flat, flat, jumpy}, 1}, {[][]int64{flat, flat, jumpy, jumpy}, 20},
	} {
		if got, err := Dispersion(c.hours); err != nil || got != c.want {
			t.Errorf("%v: %v, %v; want %v", c.hours, got, err, c.want)
		}
	}
	if _, err := Dispersion([][]int64{{1, -1}}); err == nil {
		t.Error("a negative count was taken")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	good := window(5, 10, 90, 1, 1)
	bad := map[string]func(*Window){
		"negative":       func(w *Window) { w.With.Failed = -1 },
		"huge":           func(w *Window) { w.Without.Subjects = MaxCount + 1 },
		"above requests": func(w *Window) { w.With.Slow[1] = 3 },
		"negative slow":  func(w *Window) { w.Past.Queries[0] = -3 },
		"NaN spread":     func(w *Window) { w.Spread.Errors = math.NaN() },
		"infinite":       func(w *Window) { w.Spread.Slow = math.Inf(1) },
		"minus spread":   func(w *Window) { w.Spread.Queries = -1 },
		"NaN share":      func(w *Window) { w.People.Expected = math.NaN() },
		"people":         func(w *Window) { w.People.With = -4 },
		"no time":        func(w *Window) { w.At = time.Time{} },
		"earlier":        func(w *Window) { w.At = w.At.Add(-time.Second) },
	}
	for name, spoil := range bad {
		var s State
		add(t, &s, good)
		before := s
		w := good
		spoil(&w)
		if err := s.Add(w); err == nil || !reflect.DeepEqual(s, before) {
			t.Errorf("%s: taken, or the state changed", name)
		}
	}
}

// TestHuge adds the largest counts; nothing overflows, and the state survives JSON.
func TestHuge(t *testing.T) {
	t.Parallel()
	var s State
	for i := range 1000 {
		add(t, &s, window(i, MaxCount/2, MaxCount, MaxCount/2, MaxCount/4))
		add(t, &s, window(i, 1, MaxCount, 0, MaxCount))
	}
	text, err := json.Marshal(&s)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(s, back) {
		t.Errorf("state changed by JSON: %v", err)
	}
	v := back.Verdict(Settings{})
	if _, err := json.Marshal(v); err != nil {
		t.Error(err)
	}
	r := v.Findings[0].Ratio
	if v.Would != Kill || !(r.Low > 3.9 && r.Low <= r.Value && r.Value <= r.High && r.High < 4.1) {
		t.Errorf("%+v", v)
	}
}

// TestInterval holds that the interval has the truth in it, and open ends where nothing was seen.
func TestInterval(t *testing.T) {
	t.Parallel()
	var s State
	for i := range 100 {
		add(t, &s, window(i, 100, 900, 3, 9))
	}
	if r := s.Errors.Ratio(); !(math.Abs(r.Value-3) < 0.01 && r.Low > 2 && r.Low < 2.7 && r.High > 3.3 && r.High < 4.5) {
		t.Errorf("%+v", r)
	}
	var none, only State
	add(t, &none, window(0, 1000, 9000, 0, 90))
	add(t, &only, window(0, 1000, 9000, 9, 0))
	if r := none.Errors.Ratio(); r.Value != 0 || r.Low != 0 || !(r.High > 0 && r.High < 2) {
		t.Errorf("%+v", r)
	}
	if r := only.Errors.Ratio(); r.High != 0 || r.Low < 2 {
		t.Errorf("%+v", r)
	}
}

func FuzzAdd(f *testing.F) {
	f.Add(int64(10), int64(90), int64(1), int64(2), int64(5), int64(1), 1.5, 0.1)
	f.Fuzz(func(t *testing.T, nT, nC, kT, kC, requests, slow int64, spread, expected float64) {
		var s State
		w := window(0, nT, nC, kT, kC)
		w.With.Requests, w.Without.Requests, w.With.Slow, w.Without.Slow = requests, requests, Above{slow, slow, slow}, Above{0, 1, slow}
		w.Spread, w.People = Spread{Errors: spread, Slow: spread}, People{With: nT, Without: nC, Expected: expected}
		before := s
		if err := s.Add(w); err != nil {
			if !reflect.DeepEqual(s, before) {
				t.Error("a refused window changed the state")
			}
			return
		}
		w.At = w.At.Add(time.Hour)
		add(t, &s, w)
		v := s.Judge(Settings{Latency: true, Queries: true})
		if _, err := json.Marshal(v); err != nil || v.Text == "" || strings.Contains(v.Text, "NaN") || math.IsNaN(v.Evidence) {
			t.Errorf("%+v: %v", v, err)
		}
		if _, err := json.Marshal(&s); err != nil {
			t.Error(err)
		}
	})
}
