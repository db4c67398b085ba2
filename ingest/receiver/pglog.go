package receiver

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/ingest"
	"kibitz/ingest/pglog"
)

// pglogPath is where a piece of a PostgreSQL log is sent. Each message is read by itself, so that a log is cut at the ends of
// lines: split --line-bytes does it.
const pglogPath = "/api/:project/pglog"

// maxLogs is how many logs are read at once (limit pglog_at_once): each may keep a core for seconds.
const maxLogs = 4

func (r *Receiver) mountPGLog(router fiber.Router) {
	router.Options(pglogPath, r.preflight)
	router.Post(pglogPath, func(c *fiber.Ctx) error {
		taken, err := r.takePGLog(c)
		if err != nil {
			return r.answer(c, func(*fiber.Ctx) (string, error) { return "", err })
		}
		cors(c)
		return c.JSON(taken)
	})
	router.All(pglogPath, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderAllow, "POST, OPTIONS")
		return r.answer(c, func(*fiber.Ctx) (string, error) {
			return "", errs.New(errs.MethodNotAllowed, "Logs are sent with POST.")
		})
	})
}

// takenLog answers what became of a log. Calls are executions; lines are entries that are none.
type takenLog struct {
	Format    pglog.Format `json:"format"`
	Prefix    string       `json:"prefix"`
	Entries   int64        `json:"entries"`
	Calls     int64        `json:"calls"`
	Lines     int64        `json:"lines"`
	Malformed int64        `json:"malformed"`
	Unclaimed int64        `json:"unclaimed"`
	Cut       bool         `json:"cut"` // it is compressed and ends in its middle
}

// takePGLog is POST /api/:project/pglog/?format=F&prefix=P: a log or a piece of one, in any format, compressed or not. It is
// read as it is inflated, and kept piece by piece.
func (r *Receiver) takePGLog(c *fiber.Ctx) (t takenLog, err error) {
	source, err := r.source(c, credentials(c))
	if err != nil {
		return t, err
	}
	select {
	case r.reading <- struct{}{}:
		defer func() { <-r.reading }()
	default:
		r.outcomes.Count(source.Project, "log_item", ingest.RateLimited, "pglog_at_once", 1)
		return t, errs.New(errs.Unavailable, "%d logs are being read already (limit pglog_at_once). Try again in a moment.", maxLogs)
	}
	in, done, err := r.logReader(c.BodyRaw(), c.Get(fiber.HeaderContentEncoding))
	if err != nil {
		return t, r.refuse(source.Project, err)
	}
	defer done()
	o := r.pglog
	o.Now = source.Received
	o.Format = pglog.Format(strings.Clone(c.Query("format", string(pglog.Auto))))
	if prefix := c.Query("prefix"); prefix != "" {
		o.Prefix = strings.Clone(prefix)
	}
	stats, err := pglog.Gather(&bounded{in, int64(r.limits.PGLogSize)}, o, func(p pglog.Portion) error {
		t.Calls, t.Lines = t.Calls+p.Executions(), t.Lines+int64(len(p.Lines))
		return r.pipeline.AcceptPortion(c.UserContext(), source, p)
	})
	t.Format, t.Prefix, t.Entries, t.Malformed, t.Unclaimed, t.Cut = stats.Format, stats.Prefix, stats.Entries, stats.Malformed, stats.Unclaimed, stats.Cut
	if err == nil && t.Entries == 0 && t.Malformed+t.Unclaimed > 0 {
		return t, t.unreadable()
	}
	return t, r.refuseLog(source, t, err)
}

// unreadable is the answer to a body of which nothing is a log of PostgreSQL. Its lines are in the spool as counts of what was
// lost, as those of a log that can be read in part.
func (t *takenLog) unreadable() error {
	return errs.New(errs.Invalid, "Nothing of the %d lines can be read as a log of PostgreSQL (taken for %s). Name its format (?format=stderr, csvlog, jsonlog or syslog) and, for "+
		"stderr, its log_line_prefix (?prefix=%%25m%%20%%5B%%25p%%5D%%20).", t.Malformed+t.Unclaimed, t.Format)
}

// refuseLog says how far a log was taken that was not taken whole.
func (r *Receiver) refuseLog(source ingest.Source, t takenLog, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLogSize):
		r.outcomes.Count(source.Project, "log_item", ingest.TooLarge, "pglog_size", 1)
		return errs.New(errs.TooLarge, "The log is larger than %d bytes once decompressed (ingest.pglog_size). What precedes has been taken, %d calls; send smaller pieces.",
			r.limits.PGLogSize, t.Calls)
	case errs.Of(err) == errs.Internal:
		r.outcomes.Count(source.Project, "log_item", ingest.Invalid, "pglog", 1)
		return damaged(err)
	}
	return err
}

// gzipMagic begins every gzip file (RFC 1952): people send such files without saying so.
var gzipMagic = []byte{0x1f, 0x8b}

// logReader reads a body as it is inflated.
func (r *Receiver) logReader(raw []byte, encoding string) (io.Reader, func(), error) {
	codings, err := split(encoding)
	if err != nil {
		return nil, nil, err
	}
	if len(codings) == 0 && bytes.HasPrefix(raw, gzipMagic) {
		codings = []string{"gzip"}
	}
	if len(codings) == 0 {
		return bytes.NewReader(raw), func() {}, nil
	}
	return r.bodies.reader(codings[0], raw)
}

var errLogSize = errors.New("the log is larger than ingest.pglog_size")

// bounded ends in errLogSize after so many bytes.
type bounded struct {
	in   io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		if n, err := b.in.Read(p[:min(len(p), 1)]); n == 0 {
			return 0, err
		}
		return 0, errLogSize
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
