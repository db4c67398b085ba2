package requests

import (
	"context"
	"log/slog"
	"math"
	"time"

	"kibitz/app/hostmetrics"
	"kibitz/app/store"
)

const (
	// MeasureEvery is how often machines are measured, and the width of the finest tier: Ganglia's 15 s.
	MeasureEvery = 15 * time.Second
	// measureBefore is how long before the end of a bucket is measured: a minute is complete when it is merged.
	measureBefore = time.Second
	// maxWaiting is how many measurements wait while the database is away: an hour. The oldest go first.
	maxWaiting = 240
)

// HostMeter measures the machine that it runs on, every 15 seconds.
type HostMeter struct {
	store   *store.Store
	name    string
	source  hostmetrics.Source
	log     *slog.Logger
	last    hostmetrics.Reading
	waiting []store.HostRow
	lost    func(n int64) // counts measurements that found no room to wait (limit maxWaiting)
	problem string        // what could not be read last time; said once
}

// NewHostMeter makes one. name is how the machine is called on pages; lost counts measurements that could not wait any longer.
func NewHostMeter(s *store.Store, name string, source hostmetrics.Source, lost func(n int64), log *slog.Logger) *HostMeter {
	source.Pools = func() map[string]hostmetrics.Pool { return poolsOf(s) }
	return &HostMeter{store: s, name: name, source: source, lost: lost, log: log}
}

func poolsOf(s *store.Store) map[string]hostmetrics.Pool {
	out := map[string]hostmetrics.Pool{}
	for part, p := range s.PoolStats() {
		out[string(part)] = hostmetrics.Pool{Used: int(p.Used), Idle: int(p.Idle), Empty: p.Empty, Waited: p.Waited}
	}
	return out
}

// Run measures until ctx ends.
func (m *HostMeter) Run(ctx context.Context) {
	m.last = m.read(time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(untilMeasure(time.Now())):
			m.measure(ctx, time.Now())
		}
	}
}

// untilMeasure is how long it is to the next moment at which a bucket is about to end.
func untilMeasure(now time.Time) time.Duration {
	next := now.Truncate(MeasureEvery).Add(MeasureEvery - measureBefore)
	if !next.After(now) {
		next = next.Add(MeasureEvery)
	}
	return next.Sub(now)
}

// measure adds one measurement to those that wait, and stores them.
func (m *HostMeter) measure(ctx context.Context, now time.Time) {
	r := m.read(now)
	m.waiting = append(m.waiting, hostRow(now.UTC().Truncate(MeasureEvery), hostmetrics.Between(m.last, r)))
	m.last = r
	if more := len(m.waiting) - maxWaiting; more > 0 {
		m.waiting = append(m.waiting[:0], m.waiting[more:]...)
		m.lost(int64(more))
		m.log.Warn("a measurement of this machine is lost: the database has been away for an hour (limit maxWaiting)", "lost", more)
	}
	if err := m.store.AddHostRows(ctx, m.name, m.waiting); err != nil {
		if ctx.Err() == nil {
			m.log.Warn("cannot store what was measured of this machine; trying again", "waiting", len(m.waiting), "err", err)
		}
		return
	}
	m.waiting = m.waiting[:0]
}

// read measures, and says once what cannot be read.
func (m *HostMeter) read(now time.Time) hostmetrics.Reading {
	r, err := m.source.Read(now)
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != m.problem && problem != "" {
		m.log.Warn("cannot measure all of this machine", "err", err)
	}
	m.problem = problem
	return r
}

// hostRow is one measurement as it is stored.
func hostRow(bucket time.Time, v hostmetrics.Values) store.HostRow {
	r := store.HostRow{Bucket: bucket, N: make([]int16, len(v)), Sums: make([]float64, len(v)), Maxima: make([]float32, len(v))}
	for i, f := range v {
		if !math.IsNaN(f) && !math.IsInf(f, 0) {
			r.N[i], r.Sums[i], r.Maxima[i] = 1, f, float32(f)
		}
	}
	return r
}
