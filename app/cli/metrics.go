package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"kibitz/app/db"
	"kibitz/app/prometheus"
)

// metrics is the text of GET /metrics. Only the names of projects come from the database, and it does without them: what is
// asked when things go wrong must answer then.
func (s *server) metrics(ctx context.Context) []byte {
	t := &prometheus.Text{}
	project := s.projectLabels(ctx)
	s.counts.Write(t, project)
	s.outcomes.Ends().Write(t, project)
	s.writeIngest(t, time.Now())
	s.writeRecorder(t)
	s.writeForward(t)
	s.writePools(t)
	prometheus.WriteProcess(t, Version, s.started)
	return t.Bytes()
}

// projectLabels names projects by slug, and by id while the database is away.
func (s *server) projectLabels(ctx context.Context) func(int64) string {
	projects, err := s.Projects.All(ctx)
	if err != nil {
		s.log.Warn("metrics name projects by id", "err", err)
	}
	slugs := map[int64]string{0: "none"}
	for _, p := range projects {
		slugs[p.ID] = p.Slug
	}
	return func(id int64) string { return cmp.Or(slugs[id], prometheus.ProjectLabel(id)) }
}

// writeIngest is the way from the doors to the database.
func (s *server) writeIngest(t *prometheus.Text, now time.Time) {
	used, most := s.spool.Size()
	t.One("kibitz_spool_bytes", prometheus.Gauge, "Bytes of the spool on disk.", float64(used))
	t.One("kibitz_spool_max_bytes", prometheus.Gauge, "Bytes that it may have (spool.max_size).", float64(most))
	behind, age := s.drain.Lag(now)
	t.One("kibitz_drain_lag_bytes", prometheus.Gauge, "Bytes of the spool that are not in the database yet.", float64(behind))
	t.One("kibitz_drain_lag_seconds", prometheus.Gauge, "How long the first of what is being drained has waited.", age.Seconds())
	records, buried := s.drain.Drained()
	t.One("kibitz_drain_records_total", prometheus.Counter, "Records that were taken from the spool.", float64(records))
	t.One("kibitz_drain_buried_total", prometheus.Counter, "Records among them that cannot be stored and became dead letters.", float64(buried))
	stored, duplicates := s.digester.Events()
	t.One("kibitz_events_stored_total", prometheus.Counter, "Error events that were stored.", float64(stored))
	t.One("kibitz_events_duplicate_total", prometheus.Counter, "Error events that were known already.", float64(duplicates))
}

// writeRecorder is the recording of our own requests; without one all is 0.
func (s *server) writeRecorder(t *prometheus.Text) {
	r := s.recorder.Stats()
	t.One("kibitz_recorder_finished_total", prometheus.Counter, "Own requests that ended.", float64(r.Finished))
	t.One("kibitz_recorder_delivered_total", prometheus.Counter, "Own requests among them that reached the spool.", float64(r.Delivered))
	t.One("kibitz_recorder_dropped_total", prometheus.Counter, "Own requests among them that were dropped.", float64(r.Dropped))
	t.One("kibitz_recorder_lost_spans_total", prometheus.Counter, "Spans of own requests beyond the limit of one request.", float64(r.LostSpans))
	t.One("kibitz_recorder_flushing_seconds_total", prometheus.Counter, "Time spent on handing own requests on.", r.Flushing.Seconds())
}

// writeForward is what is sent on to another receiver; nothing when nothing is.
func (s *server) writeForward(t *prometheus.Text) {
	if s.forward == nil {
		return
	}
	f := s.forward.Stats()
	t.One("kibitz_forward_sent_total", prometheus.Counter, "Requests, and loose groups of spans, that the receiver of otlp.forward took.", float64(f.Sent))
	t.One("kibitz_forward_rejected_spans_total", prometheus.Counter, "Spans among them that it says it has not kept.", float64(s.sender.Rejected()))
	t.One("kibitz_forward_queue_bytes", prometheus.Gauge, "Compressed bytes that wait for it (limit otlp.forward_queue).", float64(f.QueueBytes))
	t.Family("kibitz_forward_dropped_total", prometheus.Counter, "Requests that were not sent on, by reason.")
	for _, reason := range slices.Sorted(maps.Keys(f.Dropped)) {
		t.Sample(float64(f.Dropped[reason]), "reason", reason)
	}
}

// poolFamilies are what is told of each pool of connections.
var poolFamilies = []struct {
	name  string
	kind  prometheus.Kind
	help  string
	value func(db.PoolStat) float64
}{
	{"kibitz_pool_busy_connections", prometheus.Gauge, "Connections in use.", func(p db.PoolStat) float64 { return float64(p.Used) }},
	{"kibitz_pool_idle_connections", prometheus.Gauge, "Connections that wait for use.", func(p db.PoolStat) float64 { return float64(p.Idle) }},
	{"kibitz_pool_max_connections", prometheus.Gauge, "Connections that there may be.", func(p db.PoolStat) float64 { return float64(p.Max) }},
	{"kibitz_pool_acquires_total", prometheus.Counter, "How often a connection was taken.", func(p db.PoolStat) float64 { return float64(p.Acquires) }},
	{"kibitz_pool_waits_total", prometheus.Counter, "How often none was free.", func(p db.PoolStat) float64 { return float64(p.Empty) }},
	{"kibitz_pool_wait_seconds_total", prometheus.Counter, "Time that was waited for a connection.", func(p db.PoolStat) float64 { return p.Waited.Seconds() }},
	{"kibitz_pool_cancelled_total", prometheus.Counter, "How often somebody stopped waiting.", func(p db.PoolStat) float64 { return float64(p.Canceled) }},
}

func (s *server) writePools(t *prometheus.Text) {
	pools := s.DB.Pools()
	for _, f := range poolFamilies {
		t.Family(f.name, f.kind, f.help)
		for _, p := range pools {
			t.Sample(f.value(p), "partition", string(p.Part), "pool", p.Name)
		}
	}
}
