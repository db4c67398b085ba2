package sockets

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"kibitz/app/trace"
	"kibitz/ingest"
	"kibitz/ingest/syslog"
)

// batchEvery is how long a message waits at most for others to share a record of the spool, and its sync, with.
const batchEvery = 200 * time.Millisecond

// batchItems bounds the requests or lines that are handed on at once.
const batchItems = 500

// keepBytes is the memory that is kept for the next round; a burst's goes back.
const keepBytes = 4 << 20

// worker turns messages into requests and log lines. It may wait for the disk; the readers do not wait for it.
type worker struct {
	door    *Door
	now     func() time.Time
	decoder syslog.Decoder
	spare   pile
	batches map[sender]*batch
}

// sender is what the items of a batch have in common.
type sender struct {
	project, key int64
	from         netip.Addr
}

type batch struct {
	source   ingest.Source
	requests []trace.Request
	lines    []trace.LogLine
}

func (w *worker) run() {
	defer close(w.door.ended)
	tick := time.NewTicker(batchEvery)
	defer tick.Stop()
	for {
		last := false
		select {
		case <-tick.C:
		case <-w.door.buffer.wake:
		case <-w.door.finished:
			last = true
		}
		w.round()
		if last {
			return
		}
	}
}

// round takes everything that has come since the last one, and hands it on.
func (w *worker) round() {
	full := w.door.buffer.take(w.spare)
	w.batches = map[sender]*batch{}
	full.each(w.message)
	for _, b := range w.batches {
		w.flush(b)
	}
	if w.spare = full; cap(full.bytes) > keepBytes {
		w.spare = pile{}
	}
}

// message puts one message where it belongs. A fault of ours in it is its own trouble alone.
func (w *worker) message(text []byte, it item) {
	d := w.door
	defer func() {
		if r := recover(); r != nil {
			d.o.Log.Error("panic in a syslog message", "transport", transports[it.transport], "bytes", len(text), "panic", r)
			d.drop("log_item", ingest.Invalid, "syslog_panic", it.transport)
		}
	}()
	m, err := syslog.Parse(text, w.now())
	if err != nil {
		d.drop("log_item", ingest.Invalid, "syslog_format", it.transport)
		return
	}
	record, ok, err := w.decoder.Record(&m)
	switch {
	case err != nil:
		d.drop("transaction", ingest.Invalid, "syslog_record", it.transport)
	case ok:
		w.request(record, it)
	default:
		w.line(m, text, it)
	}
}

func (w *worker) request(r syslog.Record, it item) {
	b := w.batch(r.Key, "transaction", it)
	if b == nil {
		return
	}
	if b.requests = append(b.requests, r.Request); len(b.requests) >= batchItems {
		w.flush(b)
	}
}

func (w *worker) line(m syslog.Message, text []byte, it item) {
	line, key := syslog.Line(&m)
	b := w.batch(key, "log_item", it)
	if b == nil {
		return
	}
	if w.door.o.Postgres != nil && m.Postgres() {
		w.door.o.Postgres(b.source, text)
		return
	}
	if b.lines = append(b.lines, line); len(b.lines) >= batchItems {
		w.flush(b)
	}
}

// batch is where a message's project collects. A message whose key is none of ours is counted, and has none.
func (w *worker) batch(key, category string, it item) *batch {
	s := sender{w.door.o.Project, 0, it.from}
	if key != "" {
		project, id, reason := w.owner(strings.ToLower(key))
		if reason != "" {
			w.door.o.Count(0, category, ingest.Invalid, reason, 1)
			return nil
		}
		s.project, s.key = project, id
	}
	b := w.batches[s]
	if b == nil {
		b = &batch{source: ingest.Source{Project: s.project, KeyID: s.key, Received: w.now().UTC().Truncate(time.Millisecond)}}
		if s.from.IsValid() {
			b.source.RemoteIP = s.from.String()
		}
		w.batches[s] = b
	}
	return b
}

// owner finds whose a key is. The reasons are those of the HTTP door.
func (w *worker) owner(key string) (project, id int64, reason string) {
	if len(key) != 32 || strings.Trim(key, "0123456789abcdef") != "" {
		return 0, 0, "auth_malformed"
	}
	project, id, active := w.door.o.Key(context.Background(), key)
	switch {
	case project == 0:
		return 0, 0, "unknown_key"
	case !active:
		return 0, 0, "disabled_key"
	}
	return project, id, ""
}

// flush hands a batch on. What the spool cannot take, it has counted; nobody is there to be told.
func (w *worker) flush(b *batch) {
	ctx := context.Background()
	if len(b.requests) > 0 {
		if err := w.door.o.Requests(ctx, b.source, b.requests); err != nil {
			w.door.o.Log.Warn("cannot keep requests that came by syslog", "n", len(b.requests), "err", err)
		}
	}
	if len(b.lines) > 0 {
		if err := w.door.o.Logs(ctx, b.source, b.lines); err != nil {
			w.door.o.Log.Warn("cannot keep log lines that came by syslog", "n", len(b.lines), "err", err)
		}
	}
	b.requests, b.lines = b.requests[:0], b.lines[:0]
}
