package health

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"kibitz/app/model"
)

// rule is one setting that should be otherwise: when wrong says so, and what that costs.
type rule struct {
	name  string
	wrong func(model.Setting) bool
	grade model.Verdict
	why   string
	mend  string // the value to set; "" when there is none for all
}

func is(value string) func(model.Setting) bool {
	return func(s model.Setting) bool { return s.Value == value }
}

func below(n int64) func(model.Setting) bool {
	return func(s model.Setting) bool { return bytesOf(s) > 0 && bytesOf(s) < n }
}

func lacks(word string) func(model.Setting) bool {
	return func(s model.Setting) bool { return !strings.Contains(s.Value, word) }
}

func atLeast(n float64) func(model.Setting) bool {
	return func(s model.Setting) bool { v, err := strconv.ParseFloat(s.Value, 64); return err == nil && v >= n }
}

var rules = []rule{
	{"fsync", is("off"), model.Bad, "a crash of the machine destroys the database", "on"},
	{"full_page_writes", is("off"), model.Bad, "a crash in the middle of a write leaves torn pages", "on"},
	{"synchronous_commit", is("off"), model.Bad, "what was acknowledged can be lost: the spool lets go of events when they are committed", "on"},
	{"autovacuum", is("off"), model.Bad, "dead rows are never cleared away, and writes stop when transaction ids run out", "on"},
	{"track_counts", is("off"), model.Bad, "neither autovacuum nor these checks know anything", "on"},
	{"track_activities", is("off"), model.Warn, "sessions do not say what they run", "on"},
	{"shared_buffers", below(128 << 20), model.Warn, "less than the default: a quarter of the memory of a machine of its own, an eighth of a shared one", ""},
	{"random_page_cost", atLeast(4), model.Warn, "the default is for spinning disks: the planner shuns indexes", "1.1"},
	{"track_io_timing", is("off"), model.Warn, "statements do not tell how long they waited for the disk", "on"},
	{"shared_preload_libraries", lacks("pg_stat_statements"), model.Warn, "without pg_stat_statements the digest knows only what programs report themselves", ""},
	{"enable_seqscan", is("off"), model.Warn, "somebody was trying something out", "on"},
	{"enable_indexscan", is("off"), model.Warn, "somebody was trying something out", "on"},
	{"enable_hashjoin", is("off"), model.Warn, "somebody was trying something out", "on"},
	{"work_mem", below(1 << 20), model.Warn, "nearly every sort goes to disk", "4MB"},
}

// settings lists what deviates from what is safe or usual.
func settings(s Server) model.Finding {
	if len(s.Settings) == 0 {
		return unknown("The server told no settings.")
	}
	f, seen := well("No setting endangers data or speed."), 0
	for _, r := range rules {
		v, ok := s.Settings[r.name]
		if !ok {
			continue // hidden from our role (shared_preload_libraries), or unknown to this version
		}
		seen++
		if r.wrong(v) {
			f.Verdict = worst(f.Verdict, r.grade)
			f.Items = append(f.Items, model.FindingItem{Name: r.name + " = " + v.Value + unitOf(v), Said: r.why, SQL: alter(r)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		if s.Settings[name].PendingRestart {
			f.Verdict = worst(f.Verdict, model.Warn)
			f.Items = append(f.Items, model.FindingItem{Name: name, Said: "was changed and waits for a restart of the server"})
		}
	}
	if len(f.Items) > 0 {
		f.Said = plural(len(f.Items), "setting deserves", "settings deserve") + " a look."
	}
	if seen == 0 {
		return unknown("Not enough rights: the settings are hidden.")
	}
	return withValue(f, strconv.Itoa(len(f.Items)), "")
}

func unitOf(v model.Setting) string {
	if v.Unit == "" {
		return ""
	}
	return " × " + v.Unit
}

func alter(r rule) string {
	if r.mend == "" {
		return ""
	}
	return "ALTER SYSTEM SET " + r.name + " = '" + r.mend + "'; SELECT pg_reload_conf();"
}
