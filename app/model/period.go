package model

import (
	"net/url"
	"strconv"
	"time"

	"kibitz/app/errs"
)

// Period is the stretch of time that a page shows, in UTC.
type Period struct {
	// Name is that of a choice (1h, 6h, 24h, 7d, 30d), which ends now; "" when From and To were given.
	Name     string
	From, To time.Time
}

// PeriodChoice is a period by its name.
type PeriodChoice struct {
	Name   string
	Length time.Duration
}

// PeriodChoices are the periods that pages offer, shortest first.
func PeriodChoices() []PeriodChoice {
	const day = 24 * time.Hour
	return []PeriodChoice{{"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", day}, {"7d", 7 * day}, {"30d", 30 * day}}
}

const (
	// minPeriod and maxPeriod bound what may be asked for: a bucket is a minute, and rollups are kept for a year and a bit.
	minPeriod = time.Minute
	maxPeriod = 400 * 24 * time.Hour
)

// ParsePeriod reads the fields period, from and to of an address; without any of them it is the last hour. Moments are
// seconds since 1970, RFC 3339, or what a browser's date field sends (2006-01-02T15:04), taken as UTC. It fails with a
// kind of errs.Invalid.
func ParsePeriod(name, from, to string, now time.Time) (Period, error) {
	if from == "" && to == "" {
		return namedPeriod(name, now)
	}
	begin, err := parseMoment(from)
	if err != nil {
		return Period{}, err
	}
	end := now.UTC()
	if to != "" {
		if end, err = parseMoment(to); err != nil {
			return Period{}, err
		}
	}
	switch length := end.Sub(begin); {
	case length < minPeriod:
		return Period{}, errs.New(errs.Invalid, "That period ends before it has begun, or is shorter than a minute. Give an end that is later.")
	case length > maxPeriod:
		return Period{}, errs.New(errs.Invalid, "That period is longer than 400 days (limit maxPeriod). Give a later beginning.")
	}
	return Period{From: begin, To: end}, nil
}

func namedPeriod(name string, now time.Time) (Period, error) {
	if name == "" {
		name = PeriodChoices()[0].Name
	}
	for _, c := range PeriodChoices() {
		if c.Name == name {
			return Period{name, now.UTC().Add(-c.Length), now.UTC()}, nil
		}
	}
	return Period{}, errs.New(errs.Invalid, "There is no such period. Choose 1h, 6h, 24h, 7d or 30d, or give from and to.")
}

func parseMoment(text string) (time.Time, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && n < 1<<33 {
		return time.Unix(n, 0).UTC(), nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(form, text); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errs.New(errs.Invalid, "A moment is written like 2026-11-19T14:35 (UTC), or as seconds since 1970.")
}

// Fields are the period in an address, as ParsePeriod reads them.
func (p Period) Fields() url.Values {
	if p.Name != "" {
		return url.Values{"period": {p.Name}}
	}
	return url.Values{"from": {strconv.FormatInt(p.From.Unix(), 10)}, "to": {strconv.FormatInt(p.To.Unix(), 10)}}
}

// Before is the period as long ago as d; it has no name.
func (p Period) Before(d time.Duration) Period { return Period{From: p.From.Add(-d), To: p.To.Add(-d)} }

// maxBuckets is how many points a graph has at the most. An hour has 60, a day 96, a month 120.
const maxBuckets = 120

// Buckets cuts the period into equal steps of a round length, none shorter than least. They begin at from, at or before
// From, and end at or after To.
func (p Period) Buckets(least time.Duration) (from time.Time, step time.Duration, n int) {
	const day = 24 * time.Hour
	step = day
	for _, s := range []time.Duration{15 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 4 * day, 7 * day} {
		step = s
		if s >= least && p.To.Sub(p.From) <= maxBuckets*s {
			break
		}
	}
	end := p.To.UTC().Truncate(step)
	if end.Before(p.To) {
		end = end.Add(step)
	}
	n = max(int((p.To.Sub(p.From)+step-1)/step), 1)
	if from = end.Add(-time.Duration(n) * step); p.Name == "" && from.After(p.From) {
		from, n = from.Add(-step), n+1 // asked for exactly: nothing of it is left out
	}
	return from, step, n
}
