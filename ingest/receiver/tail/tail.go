// Package tail follows the log files of PostgreSQL as they grow, are renamed, cut to nothing and replaced, and hands what is
// in them on in portions.
//
// What it promises: every line that stays readable is counted once, over restarts and SIGKILL. Before a portion is handed to
// the spool, a file of state notes where it begins and ends and its number; after a kill the same portion is read again, gets
// the same number, and the drain leaves it out if it has it. What no reader can promise: lines of a file that is deleted,
// compressed or cut to nothing before they were read are lost, and a file that has never been seen before the very first start
// is read from its end. A statement whose entry was written in two pieces a quarter of a second apart may lose its second.
package tail

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"kibitz/app/errs"
	"kibitz/ingest"
	"kibitz/ingest/pglog"
)

// Options are what a tail connects.
type Options struct {
	Globs   []string
	Log     pglog.Options // Format and Prefix as they are set; Normalizer is needed
	State   string        // file that remembers how far we are
	Source  string        // name of this reader among those that share the database
	Project int64
	// Accept takes a portion, and returns when it is safe on disk. One may come again, with the same number.
	Accept func(context.Context, ingest.Source, pglog.Portion) error
	Logger *slog.Logger
	Poll   time.Duration // how often files are looked at; 0 is a quarter of a second
}

// Limits of what is followed and read at a time.
const (
	maxFiles = 100     // pglog_files: the newest
	maxRead  = 8 << 20 // bytes of all files between two portions
)

const (
	defaultPoll = 250 * time.Millisecond
	flushEvery  = time.Second     // when files are silent
	flushAtMost = 3 * time.Second // when they never are
	scanEvery   = time.Second
	retryEvery  = time.Second
)

// Tail follows files. It is for one goroutine.
type Tail struct {
	o       Options
	state   state
	files   []*file
	ignored map[identity]int64 // files of the past, by how long they were
	begun   []place            // where the portion that is being read begins
	flushed time.Time
	scanned time.Time
	read    int64 // bytes since the last portion
	warned  bool
	buffer  []byte
}

// begin is the very first start: all that is there is of the past, and what comes behind it is read.
func (t *Tail) begin() error {
	now := time.Now()
	for i, f := range t.find() {
		t.ignored[f.id] = f.info.Size()
		if i < maxFiles {
			t.open(f, f.info.Size())
		}
	}
	t.state = state{Done: true, Saved: now, Next: t.begun, Past: t.past()}
	if err := saveState(t.o.State, t.state); err != nil {
		return fmt.Errorf("cannot note how far logs have been read: %w", err)
	}
	return nil
}

// Open reads the state, and makes it when there is none.
func Open(o Options) (*Tail, error) {
	if o.Poll == 0 {
		o.Poll = defaultPoll
	}
	if _, err := pglog.NewAssembler(o.Log, func(*pglog.Entry) {}); err != nil {
		return nil, err
	}
	for _, g := range o.Globs {
		if _, err := match(g); err != nil {
			return nil, errs.New(errs.Invalid, "pglog.files: %q is no pattern for names of files.", g)
		}
	}
	t := &Tail{o: o, ignored: map[identity]int64{}, buffer: make([]byte, chunkSize)}
	var err error
	first := false
	if t.state, first, err = loadState(o.State); err != nil {
		return nil, err
	}
	if first {
		return t, t.begin()
	}
	for _, p := range t.state.Past {
		t.ignored[p.identity] = p.Offset
	}
	return t, nil
}

// Run follows the files until ctx ends, and hands on what has been read by then.
func (t *Tail) Run(ctx context.Context) {
	defer t.close()
	if !t.resume(ctx) {
		return
	}
	tick := time.NewTicker(t.o.Poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		if now.Sub(t.scanned) >= scanEvery {
			t.scan(now)
		}
		n := t.fill(now)
		if t.due(now, n == 0) && !t.flush(ctx, now, n == 0) {
			return
		}
		if n >= chunkSize {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	t.finish(ctx)
}

// finishWithin is how long a stop waits for the spool. What it does not take is read again at the next start.
const finishWithin = 2 * time.Second

// finish hands on what has been read.
func (t *Tail) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	t.flush(ctx, time.Now(), false)
}

// fill reads what files have grown by, and says how much it was.
func (t *Tail) fill(now time.Time) (total int64) {
	for _, f := range t.files {
		t.check(f, now)
		n, err := f.fill(t.o.Log, now)
		if err != nil {
			t.o.Logger.Warn("cannot read a log of PostgreSQL; trying again", "file", f.Path, "err", err)
		}
		total += n
	}
	t.read += total
	return total
}

// check begins a file anew that was cut to nothing or written anew. It is told by its head, which costs a read of 1 KiB.
func (t *Tail) check(f *file, now time.Time) {
	if info, err := f.f.Stat(); err == nil && info.Size() != f.Offset+int64(len(f.rest)) && f.replaced(f.f, info.Size()) {
		t.o.Logger.Info("a log of PostgreSQL was cut to nothing; reading it from its beginning", "file", f.Path)
		f.rewind(now)
	}
}

// due tells whether it is time for a portion.
func (t *Tail) due(now time.Time, quiet bool) bool {
	age := now.Sub(t.flushed)
	full := t.read >= maxRead || age >= flushAtMost
	for _, f := range t.files {
		full = full || f.full()
	}
	return full || quiet && age >= flushEvery
}

// flush ends a portion, notes it, and hands it on; it fails only when ctx ends before that is done.
func (t *Tail) flush(ctx context.Context, now time.Time, quiet bool) bool {
	t.flushed, t.read = now, 0
	var p pglog.Portion
	for _, f := range t.files {
		add(&p, f.cut(t.o.Log, now, quiet && now.Sub(f.silent) >= flushEvery))
	}
	if p.Empty() {
		return true
	}
	t.state = state{Seq: max(t.state.Seq+1, now.UnixMicro()), Saved: now, Files: t.begun, Next: t.places(), Past: t.past()}
	if !t.save(ctx) || !t.hand(ctx, p) {
		return false
	}
	t.begun = t.state.Next
	return true
}

// past are the files that are not followed, since nothing has been written to them in our time.
func (t *Tail) past() (out []place) {
	for id, size := range t.ignored {
		out = append(out, place{identity: id, Offset: size})
	}
	return out
}

func (t *Tail) places() (out []place) {
	for _, f := range t.files {
		out = append(out, f.place)
	}
	return out
}

// save writes the state; nothing is handed on before that is done.
func (t *Tail) save(ctx context.Context) bool {
	return t.insist(ctx, "cannot note how far logs have been read; trying again", func() error { return saveState(t.o.State, t.state) })
}

// hand gives the portion of the state to the spool. While that is full, the files are where lines wait.
func (t *Tail) hand(ctx context.Context, p pglog.Portion) bool {
	p.Source, p.Seq = t.o.Source, t.state.Seq
	from := ingest.Source{Project: t.o.Project, Received: time.Now().UTC().Truncate(time.Millisecond)}
	done := t.insist(ctx, "cannot hand on a piece of a log; trying again", func() error { return t.o.Accept(ctx, from, p) })
	t.state.Done = done
	return done
}

// insist repeats until it works or ctx ends.
func (t *Tail) insist(ctx context.Context, failed string, do func() error) bool {
	for {
		err := do()
		if err == nil {
			return true
		}
		t.o.Logger.Warn(failed, "err", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(retryEvery):
		}
	}
}

// add puts a portion behind another.
func add(p *pglog.Portion, more pglog.Portion) {
	p.Texts, p.Sums, p.Calls = append(p.Texts, more.Texts...), append(p.Sums, more.Sums...), append(p.Calls, more.Calls...)
	p.Lines, p.Lost = append(p.Lines, more.Lines...), append(p.Lost, more.Lost...)
}

// close notes that the last portion needs not be read again, and lets go of the files.
func (t *Tail) close() {
	if t.state.Done {
		if err := saveState(t.o.State, t.state); err != nil {
			t.o.Logger.Warn("cannot note how far logs have been read", "err", err)
		}
	}
	for _, f := range t.files {
		f.close()
	}
}
