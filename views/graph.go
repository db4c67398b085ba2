package views

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kibitz/app/model"
	"kibitz/views/charts"
)

// halfHours is a day in steps of the counters.
const (
	halfHours = 48
	step      = 30 * time.Minute
)

// levels from the ground up, so that the worst stand on top.
var levels = []model.Level{model.Debug, model.Info, model.Warning, model.Errors, model.Fatal}

// volume is a day of events, stacked by level.
type volume struct {
	from   time.Time
	series map[model.Level][]int64
	total  []int64
}

func newVolume(buckets []model.Bucket, from time.Time) volume {
	v := volume{from, map[model.Level][]int64{}, make([]int64, halfHours)}
	for _, l := range levels {
		v.series[l] = make([]int64, halfHours)
	}
	for _, b := range buckets {
		n := int(b.Start.Sub(from) / step)
		if b.Start.Before(from) || n >= halfHours {
			continue
		}
		s, ok := v.series[b.Level]
		if !ok {
			s = v.series[model.Errors]
		}
		s[n] += b.N
		v.total[n] += b.N
	}
	return v
}

func (v volume) top() int64 { return charts.Top(v.total) }

// path draws one level on top of those below it.
func (v volume) path(level model.Level) string {
	base := make([]int64, halfHours)
	for _, l := range levels {
		if l == level {
			break
		}
		for i, n := range v.series[l] {
			base[i] += n
		}
	}
	return charts.Bars(v.series[level], base, v.top(), 0.18)
}

func (v volume) sum() (n int64) {
	for _, x := range v.total {
		n += x
	}
	return n
}

func (v volume) at(i int) time.Time { return v.from.Add(time.Duration(i) * step) }

// xs and ys are what the readout under the pointer says.
func (v volume) xs() string {
	var out []string
	for i := range halfHours {
		out = append(out, v.at(i).UTC().Format("15:04"))
	}
	return strings.Join(out, ",")
}

func (v volume) ys() string {
	b, err := json.Marshal(map[string][]int64{"events": v.total})
	if err != nil {
		return "{}"
	}
	return string(b)
}

func (v volume) label() string {
	var most int64
	at := 0
	for i, n := range v.total {
		if n > most {
			most, at = n, i
		}
	}
	if most == 0 {
		return "No events in the last 24 hours."
	}
	return fmt.Sprintf("Events per half hour over 24 hours: %d in all, most at %s UTC with %d.", v.sum(), v.at(at).UTC().Format("15:04"), most)
}

// present are the levels that occur, worst first, by their names.
func (v volume) present() []string {
	var out []string
	for i := len(levels) - 1; i >= 0; i-- {
		if v.has(levels[i]) {
			out = append(out, string(levels[i]))
		}
	}
	return out
}

func (v volume) has(level model.Level) bool {
	return slices.ContainsFunc(v.series[level], func(n int64) bool { return n > 0 })
}

// hour is a row of the table behind a graph.
type hour struct {
	at time.Time
	n  int64
}

func (v volume) hours() []hour {
	var out []hour
	for i := 0; i+1 < len(v.total); i += 2 {
		out = append(out, hour{v.at(i), v.total[i] + v.total[i+1]})
	}
	return out
}

// marks are the times under a graph, by per cent of its width. Every other one leaves on narrow screens.
func (v volume) marks() []mark {
	var out []mark
	for i := 0; i <= halfHours; i += 8 {
		form := "15:04"
		if i == 0 || i == halfHours {
			form = "Mon 15:04"
		}
		at := strconv.FormatFloat(float64(i)*100/halfHours, 'f', 1, 64)
		out = append(out, mark{v.at(i).UTC().Format(form), at, i > 0 && i < halfHours, i/8%2 == 1, v.at(i)})
	}
	return out
}

type mark struct {
	text, at    string
	center, alt bool
	moment      time.Time
}

const (
	// hotBars are the last bars of a sparkline, two hours, that may stand out.
	hotBars = 4
	// hotTimes is how far above the mean of the hours before a bar must stand.
	hotTimes = 3
	// hotLeast keeps two events after a quiet day from looking like a fire.
	hotLeast = 5
)

// split takes the bars that stand out of the end of a sparkline. hot is nil when none does.
func split(all []int64) (calm, hot []int64) {
	if len(all) <= hotBars {
		return all, nil
	}
	calm = slices.Clone(all)
	var before float64
	for _, n := range all[:len(all)-hotBars] {
		before += float64(n)
	}
	mean := before / float64(len(all)-hotBars)
	for i := len(all) - hotBars; i < len(all); i++ {
		if all[i] < hotLeast || float64(all[i]) < mean*hotTimes {
			continue
		}
		if hot == nil {
			hot = make([]int64, len(all))
		}
		hot[i], calm[i] = all[i], 0
	}
	return calm, hot
}

func sparkLabel(row IssueRow) string {
	var n int64
	for _, v := range row.Spark {
		n += v
	}
	return fmt.Sprintf("%s: %d events in 24 hours", row.ShortID, n)
}
