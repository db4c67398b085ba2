package ingest

import (
	"context"

	"kibitz/ingest/pglog"
)

// AcceptPortion takes a piece of a PostgreSQL log. It returns when that is safe on disk. One that has a number (Portion.Seq)
// may be given again: it is stored once.
func (p *Pipeline) AcceptPortion(ctx context.Context, from Source, portion pglog.Portion) error {
	if portion.Empty() && portion.Seq == 0 {
		return nil
	}
	parts := []pglog.Portion{portion}
	if portion.Seq == 0 {
		parts = portion.Split()
	}
	var records []Record
	for i := range parts {
		raw, err := parts[i].Append(nil)
		if err != nil {
			return err
		}
		records = append(records, p.packed(from, KindPortion, 0, raw))
	}
	err := p.spool.Append(ctx, records...)
	if err != nil && portion.Seq == 0 { // one with a number comes again
		p.outcomes.Count(from.Project, "statement", RateLimited, "spool_unavailable", portion.Executions())
		p.outcomes.Count(from.Project, "log_item", RateLimited, "spool_unavailable", int64(len(portion.Lines)))
	}
	return err
}
