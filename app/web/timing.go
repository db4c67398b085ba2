package web

import (
	"math"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/app/sketch"
	"kibitz/app/trace"
	"kibitz/views"
	"kibitz/views/charts"
)

// periodOf is the period that a page is asked for.
func periodOf(c *fiber.Ctx, now time.Time) (model.Period, error) {
	return model.ParsePeriod(strings.Clone(c.Query("period")), c.Query("from"), c.Query("to"), now)
}

// clock is the axis of time of a page's charts.
func clock(b requests.Buckets, now time.Time) charts.Clock {
	return charts.Clock{From: b.From, Step: b.Step, N: b.N, Open: b.To().After(now)}
}

// timing is a sum of requests as pages show it.
func timing(s *requests.Sum, apdex time.Duration) views.Timing {
	t := views.Timing{N: s.N, Seen: s.Seen, P50: quantile(s.Durations, 0.5), P75: quantile(s.Durations, 0.75), P95: quantile(s.Durations, 0.95),
		P99: quantile(s.Durations, 0.99), Apdex: s.Apdex(apdex), Queries: math.Round(s.Queries.Quantile(0.5)), MaxQueries: math.Round(s.Queries.Quantile(1))}
	if s.N > 0 {
		t.Failed = s.Failed / s.N
		for c := range t.Time {
			t.Time[c] = micros(s.Time[c] / s.N)
		}
	}
	return t
}

func micros(us float64) time.Duration { return time.Duration(us * float64(time.Microsecond)) }

func quantile(s *sketch.Sketch, q float64) time.Duration { return micros(s.Quantile(q)) }

// bins are a sketch's, in units of so many of what it counts: 1,000 for microseconds shown as milliseconds.
func bins(s *sketch.Sketch, unit float64) (list []charts.Bin) {
	s.Each(func(value, n float64) {
		list = append(list, charts.Bin{Low: value * (1 - sketch.Error) / unit, High: value * (1 + sketch.Error) / unit, N: n})
	})
	return list
}

// endpointSeries are sums by bucket as the page of an endpoint draws them.
func endpointSeries(sums []*requests.Sum) (out views.EndpointSeries) {
	n := len(sums)
	for _, list := range []*[]float64{&out.Served, &out.Failed, &out.P50, &out.P75, &out.P95, &out.P99} {
		*list = blanks(n)
	}
	for c := range out.Time {
		out.Time[c] = blanks(n)
	}
	out.Durations = make([][]charts.Bin, n)
	for i, s := range sums {
		if s == nil || s.N == 0 {
			continue
		}
		out.Served[i], out.Failed[i] = s.N-s.Failed, s.Failed
		for q, list := range map[float64][]float64{0.5: out.P50, 0.75: out.P75, 0.95: out.P95, 0.99: out.P99} {
			list[i] = s.Durations.Quantile(q) / 1000
		}
		for c := range out.Time {
			out.Time[c][i] = s.Time[c] / s.N / 1000
		}
		out.Durations[i] = bins(s.Durations, 1000)
	}
	return out
}

// blanks are n numbers that say that there is no data.
func blanks(n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = math.NaN()
	}
	return list
}

// switchTiming is the requests with a switch's answer as pages show them.
func switchTiming(w *requests.SwitchSum) views.Timing {
	t := views.Timing{N: w.N, Seen: w.Seen, P50: w.P50, P75: w.P75, P95: w.P95, P99: w.P99, Queries: math.Round(w.Queries)}
	if w.N > 0 {
		t.Failed = w.Failed / w.N
	}
	for c := range trace.Categories {
		t.Time[c] = w.Time[c]
	}
	return t
}
