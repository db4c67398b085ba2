package requests

import (
	"context"
	"log/slog"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/ingest/sqltext"
)

// StoredStatements keeps what pg_stat_statements counts of Kibitz's own servers with the project in which Kibitz records itself,
// so that the digest of a period knows it, too. It keeps sums alone: nothing is known of single calls.
type StoredStatements struct {
	store   *store.Store
	log     *slog.Logger
	project int64
	names   *names
	forms   *sqltext.Normalizer
}

// NewStoredStatements makes it. Its Add is a StatementSink.
func NewStoredStatements(s *store.Store, project int64, log *slog.Logger) *StoredStatements {
	return &StoredStatements{s, log, project, newNames(s), sqltext.NewNormalizer(1 << 20)}
}

// Add stores differences. Those that cannot be stored are lost: the counters go on, and the next ones are of the next minute.
func (s *StoredStatements) Add(ctx context.Context, deltas []model.StatementDelta, _ []model.StatementGap) {
	err := s.add(ctx, deltas)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("cannot keep what pg_stat_statements counted of a minute", "err", err)
	}
}

func (s *StoredStatements) add(ctx context.Context, deltas []model.StatementDelta) error {
	for _, d := range deltas {
		if d.Fingerprint != 0 {
			s.names.wantStatement(statementKey{s.project, uint64(d.Fingerprint)}, s.forms.Normalize(d.SQL).Text, "")
		}
	}
	if err := s.names.resolve(ctx); err != nil {
		return err
	}
	var rows []store.StatementRollup
	none := sketch.New().Encode()
	for _, d := range deltas {
		id := s.names.statements[statementKey{s.project, uint64(d.Fingerprint)}]
		if id == 0 {
			continue // its text is not known, or there are too many
		}
		io := d.StatementIO
		rows = append(rows, store.StatementRollup{Bucket: d.To.Truncate(statementBucket), Project: s.project, Statement: id, Source: model.FromPgStat,
			N: float64(d.Calls), Total: micros(d.Total), Rows: float64(d.Rows), RowsKnown: float64(d.Calls), Durations: none, IO: &io})
	}
	return s.store.AddStatementSums(ctx, rows)
}
