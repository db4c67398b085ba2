package pglog

import (
	"encoding/json"
	"fmt"
	"time"
)

// Portion is what a piece of a log adds up to, in the form in which it is spooled: sums by statement and ten minutes, the
// calls that are worth showing, and everything that is no call as lines.
type Portion struct {
	// Source and Seq are set when the log can be read again: a portion whose number is not above the last one of its source has
	// been taken already.
	Source string `json:",omitempty"`
	Seq    int64  `json:",omitempty"`
	Texts  []Text
	Sums   []Sum
	Calls  []Call `json:",omitempty"`
	Lines  []Line `json:",omitempty"`
	Lost   []Loss `json:",omitempty"`
}

// Text is a statement of the portion. Sample is how it was sent, with its values masked.
type Text struct {
	Fingerprint uint64
	SQL, Sample string
}

// Sum is the calls of a statement that ended within Bucket, ten minutes. Durations are those of the calls that told them, as
// sketch.Encode writes microseconds; Total and Max are microseconds.
type Sum struct {
	Fingerprint uint64
	Bucket      time.Time
	Calls       int64
	Errors      int64   `json:",omitempty"`
	Total       float64 `json:",omitempty"`
	Max         int64   `json:",omitempty"`
	Durations   []byte
}

// Call is one execution, or what a backend did during one. Params and Plan have their values masked.
type Call struct {
	Fingerprint uint64
	Kind        Kind // Duration, TempFile, Waiting or Acquired
	At          time.Time
	Duration    time.Duration // how long it took, or waited for a lock
	PID         int32
	Params      string `json:",omitempty"`
	Plan        string `json:",omitempty"`
	Note        string `json:",omitempty"` // the message, where it is no execution
}

// Line is an entry that is no call: an error, a checkpoint, a lock that was waited for.
type Line struct {
	At       time.Time
	Severity string
	Message  string
	Fields   []Field `json:",omitempty"`
}

// Field is what else an entry says.
type Field struct{ Key, Value string }

// Loss is how many of what were lost, by the name of the reason.
type Loss struct {
	Reason string
	N      int64
}

// Empty tells whether there is nothing in it to keep.
func (p *Portion) Empty() bool { return len(p.Sums)+len(p.Calls)+len(p.Lines)+len(p.Lost) == 0 }

// Executions are the calls that the sums count.
func (p *Portion) Executions() (n int64) {
	for i := range p.Sums {
		n += p.Sums[i].Calls
	}
	return n
}

// Append adds the stored form to b.
func (p *Portion) Append(b []byte) ([]byte, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("cannot write a portion of a log: %w", err)
	}
	return append(b, raw...), nil
}

// DecodePortion reads what Append wrote.
func DecodePortion(raw []byte) (p Portion, err error) {
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, fmt.Errorf("cannot read a portion of a log: %w", err)
	}
	return p, nil
}

// maxPortion bounds the statements of a portion (limit pglog.maxPortion): with sketches and texts some 5 MB.
const maxPortion = 2000

// Split cuts a portion into such as fit into a record. The first has everything but the later sums. Only a portion without
// Seq may be cut.
func (p *Portion) Split() []Portion {
	texts := map[uint64]Text{}
	for _, t := range p.Texts {
		texts[t.Fingerprint] = t
	}
	var out []Portion
	rest := p.Sums
	for first := true; first || len(rest) > 0; first = false {
		part := Portion{Sums: rest[:min(len(rest), maxPortion)]}
		rest = rest[len(part.Sums):]
		if first {
			part.Source, part.Seq, part.Calls, part.Lines, part.Lost = p.Source, p.Seq, p.Calls, p.Lines, p.Lost
		}
		part.texts(texts)
		out = append(out, part)
	}
	return out
}

// texts gives a portion the texts that it names.
func (p *Portion) texts(all map[uint64]Text) {
	seen := map[uint64]bool{}
	add := func(fingerprint uint64) {
		if t, ok := all[fingerprint]; ok && !seen[fingerprint] {
			seen[fingerprint] = true
			p.Texts = append(p.Texts, t)
		}
	}
	for i := range p.Sums {
		add(p.Sums[i].Fingerprint)
	}
	for i := range p.Calls {
		add(p.Calls[i].Fingerprint)
	}
}
