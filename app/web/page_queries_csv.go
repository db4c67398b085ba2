package web

import (
	"encoding/csv"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/views"
)

// getQueriesCSV is the digest of statements as CSV, all pages of it: GET /queries.csv. What is not known is left empty.
func (s *Server) getQueriesCSV(c *fiber.Ctx) error {
	_, p, rows, err := s.digestOf(c)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="queries`+strings.TrimSuffix("-"+p.Project.Slug, "-")+`.csv"`)
	out := csv.NewWriter(c.Response().BodyWriter())
	_ = out.Write(strings.Fields(`id partition project statement calls total_ms mean_ms p95_ms rows_per_call share impact
		blocks_hit blocks_read blocks_temp wal_bytes read_ms first_caller first_endpoint
		blocks_dirtied blocks_written blocks_temp_read write_ms`))
	for i := range rows {
		_ = out.Write(statementLine(&rows[i]))
	}
	out.Flush()
	return out.Error()
}

func statementLine(r *views.StatementRow) []string {
	number := func(f float64) string { return strconv.FormatFloat(math.Round(f*1e6)/1e6, 'f', -1, 64) }
	ms := func(d time.Duration) string { return number(float64(d) / float64(time.Millisecond)) }
	known := func(ok bool, text string) string {
		if !ok {
			return ""
		}
		return text
	}
	var first views.StatementCaller
	if len(r.Callers) > 0 {
		first = r.Callers[0]
	}
	var io model.StatementIO
	if r.IO != nil {
		io = *r.IO
	}
	blocks := func(n int64) string { return known(r.IO != nil, strconv.FormatInt(n, 10)) }
	return []string{r.ID, r.Partition, r.Project, requests.Formula(r.SQL), number(r.Calls), ms(r.Total), ms(r.Mean), known(r.HasP95, ms(r.P95)),
		known(!math.IsNaN(r.RowsPerCall), number(r.RowsPerCall)), number(r.Share), number(r.Impact), blocks(io.Hit), blocks(io.Read), blocks(io.TempDone), blocks(io.WALBytes),
		known(r.IO != nil, ms(io.ReadTime)), requests.Formula(first.Code), requests.Formula(first.Endpoint),
		blocks(io.Dirtied), blocks(io.Written), blocks(io.TempRead), known(r.IO != nil, ms(io.WriteTime))}
}
