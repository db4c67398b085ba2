package detect

import (
	"fmt"
	"math"
	"time"

	"kibitz/app/trace"
)

// Distribution is how long requests took.
type Distribution struct {
	// N is how many were measured, not how many they stand for: a sample is no surer for its weight.
	N int
	// Quantile is the duration that a share q of requests did not exceed, 0 to 1. It must not fall while q rises.
	Quantile func(q float64) time.Duration
}

// Change is what came between two distributions of an endpoint.
type Change struct {
	Endpoint string
	// By is what changed, without what differs from one change to the next: "release", or a switch's key.
	By string
	// To says it to people: "release 2.4.1", "checkout.new_totals on".
	To string
}

// sigmas is how sure a rise must be. Of 1,000 endpoints that a release leaves as they are, about one looks slower to
// each side by chance at 3.
const sigmas = 3

// p95 is the quantile that is compared.
const p95 = 0.95

// Compare tells whether an endpoint's p95 rose with a change: by at least so much, by at least such a share, and
// surely. Surely means that the least that p95 after may be exceeds the most that p95 before may have been. Both bounds are
// order statistics, so that no shape is assumed: in n requests the rank of p95 varies by the root of n·0.95·0.05.
func Compare(before, after Distribution, c Change, th Thresholds) (found *Finding, why Reason) {
	need := th.RegressionRequests
	if need == 0 {
		return nil, regression(note(off))
	}
	if n := min(before.N, after.N); n < need || n <= 0 {
		return nil, regression(count("regression_requests", n, need))
	}
	was, is := before.Quantile(p95), after.Quantile(p95)
	rise := is - was
	percent := 100 * float64(rise) / float64(max(1, was))
	switch {
	case rise < ms(th.RegressionMs):
		return nil, regression(took("regression_ms", max(0, rise), th.RegressionMs))
	case percent < float64(th.RegressionPercent):
		return nil, regression(Reason{Limit: "regression_percent", Have: math.Floor(10*percent) / 10, Need: float64(th.RegressionPercent)})
	case after.bound(-sigmas) <= before.bound(sigmas):
		return nil, regression(note(fmt.Sprintf("%d and %d requests are too few to be sure of a rise from %s to %s",
			before.N, after.N, round(was), round(is))))
	}
	return rose(c, was, is, after.N), Reason{}
}

func regression(why Reason) Reason {
	why.Kind = Regression
	return why
}

// bound is p95, had chance moved its rank by so many standard deviations.
func (d Distribution) bound(deviations float64) time.Duration {
	return d.Quantile(min(1, max(0, p95+deviations*math.Sqrt(p95*(1-p95)/float64(d.N)))))
}

func rose(c Change, was, is time.Duration, n int) *Finding {
	return &Finding{
		Kind:        Regression,
		Title:       fmt.Sprintf("%s: p95 of %s", Regression, ended(c.Endpoint)),
		Fingerprint: []string{string(Regression), c.Endpoint, c.By, ""},
		Wasted:      is - was,
		Evidence: Evidence{Count: n, Total: is, Statement: c.Endpoint, Suggestion: advice[Regression],
			Examples: []string{fmt.Sprintf("p95 rose from %s to %s with %s", round(was), round(is), clip(c.To, 200))}},
	}
}

// round is a duration with three digits that mean something.
func round(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// Endpoint names a request's endpoint as fingerprints and Change do.
func Endpoint(r *trace.Request) string { return endpoint(r) }
