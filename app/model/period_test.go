package model

import (
	"strings"
	"testing"
	"time"

	"kibitz/app/errs"
)

var noon = time.Date(2026, 11, 19, 14, 35, 20, 0, time.UTC)

func TestParsePeriod(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, from, to, want string }{
		{"", "", "", "1h 13:35:20 14:35:20"}, {"7d", "", "", "7d 14:35:20 14:35:20"}, {"2h", "", "", "no such period"},
		{"1h", "2026-11-19T10:00", "2026-11-19T11:00", " 10:00:00 11:00:00"}, {"", "1795082400", "1795086000", " 10:00:00 11:00:00"},
		{"", "2026-11-19T11:00:00+01:00", "", " 10:00:00 14:35:20"}, {"", "2026-11-19", "", " 00:00:00 14:35:20"},
		{"", "2026-11-19T11:00", "2026-11-19T10:00", "ends before"}, {"", "2020-01-01", "", "maxPeriod"}, {"", "yesterday", "", "A moment is"},
		{"", "", "2026-11-19", "A moment is"}, {"", "9999999999999", "", "A moment is"}, {"", "-5", "", "A moment is"},
	} {
		p, err := ParsePeriod(c.name, c.from, c.to, noon)
		if err != nil {
			if errs.Of(err) != errs.Invalid || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: %v", c, err)
			}
			continue
		}
		if got := p.Name + " " + p.From.Format("15:04:05") + " " + p.To.Format("15:04:05"); got != c.want {
			t.Errorf("%v: got %q", c, got)
		}
		again := p.Fields()
		if q, err := ParsePeriod(again.Get("period"), again.Get("from"), again.Get("to"), noon); err != nil || q != p {
			t.Errorf("%v comes back as %v, %v", p, q, err)
		}
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		step time.Duration
		n    int
		from string
	}{{"1h", time.Minute, 60, "19 13:36"}, {"6h", 5 * time.Minute, 72, "19 08:40"}, {"24h", 15 * time.Minute, 96, "18 14:45"}, {"7d", 2 * time.Hour, 84, "12 16:00"}, {"30d", 6 * time.Hour, 120, "20 18:00"}} {
		p, err := ParsePeriod(c.name, "", "", noon)
		from, step, n := p.Buckets(time.Minute)
		if err != nil || step != c.step || n != c.n || from.Format("2 15:04") != c.from {
			t.Errorf("%s: %d of %v from %v, %v", c.name, n, step, from, err)
		}
		if end := from.Add(time.Duration(n) * step); end.Before(noon) || end.After(noon.Add(step)) {
			t.Errorf("%s ends at %v", c.name, end)
		}
	}
	own := Period{From: noon.Add(-10 * time.Minute), To: noon}
	if from, step, n := own.Buckets(time.Minute); step != time.Minute || n != 11 || from.After(own.From) {
		t.Errorf("ten minutes: %d of %v from %v", n, step, from)
	}
	if from, step, n := own.Buckets(15 * time.Second); step != 15*time.Second || n > 42 || from.After(own.From) {
		t.Errorf("in quarters of minutes: %d of %v", n, step)
	}
	long := Period{From: noon.Add(-maxPeriod), To: noon}
	if _, step, n := long.Buckets(time.Minute); n > maxBuckets+1 || step != 4*24*time.Hour {
		t.Errorf("400 days: %d of %v", n, step)
	}
	if own.Before(time.Hour).To != noon.Add(-time.Hour) {
		t.Error("an hour before is another time")
	}
}
