package peers

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// hello is the first message of each side. Those without an address are commands, which nobody dials.
type hello struct {
	Node     string `json:"node"`
	Instance string `json:"instance"` // random, of one run of a process
	Address  string `json:"address,omitempty"`
	Version  string `json:"version"`
	Revision int64  `json:"revision"`
}

// message is all others. An answer carries the number of what it answers.
type message struct {
	ID       uint64          `json:"id"`
	Revision int64           `json:"revision,omitempty"`
	Records  []Record        `json:"records,omitempty"`
	Sums     []byte          `json:"sums,omitempty"` // Sums, big endian
	Parts    []int           `json:"parts,omitempty"`
	Known    []Known         `json:"known,omitempty"`
	IDs      []ID            `json:"ids,omitempty"`
	Peers    []string        `json:"peers,omitempty"` // addresses that the sender reaches
	Op       string          `json:"op,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
	Status   int             `json:"status,omitempty"` // of an answer: 0, or the HTTP status of the error
	Error    string          `json:"error,omitempty"`
}

// Bounds of one message of a comparison; what does not fit comes with the next round.
const (
	roundKnown = 20_000  // versions
	roundIDs   = 5_000   // names
	roundBytes = 2 << 20 // records
	maxGossip  = 64      // addresses
)

func (s *Sums) bytes() []byte {
	b := make([]byte, 0, 8*Parts)
	for _, sum := range s {
		b = binary.BigEndian.AppendUint64(b, sum)
	}
	return b
}

func sumsOf(b []byte) (s Sums, err error) {
	if len(b) != 8*Parts {
		return s, fmt.Errorf("sums have %d bytes instead of %d", len(b), 8*Parts)
	}
	for i := range s {
		s[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return s, nil
}

// diff answers sums: the parts that differ and what we have in them, as many as one message takes.
func diff(set *Set, theirs Sums) (parts []int, known []Known) {
	mine := set.Sums()
	differ := mine.Differ(theirs)
	byPart := map[int][]Known{}
	for _, k := range set.Versions(differ) {
		part, _ := stamp(k.ID, Version{})
		byPart[part] = append(byPart[part], k)
	}
	for _, part := range differ {
		if len(parts) > 0 && len(known)+len(byPart[part]) > roundKnown {
			break
		}
		parts, known = append(parts, part), append(known, byPart[part]...)
	}
	return parts, known
}

// chunks cuts records into messages.
func chunks(records []Record) (out [][]Record) {
	size, start := 0, 0
	for i := range records {
		n := len(records[i].Body) + len(records[i].Why) + 500
		if size > 0 && size+n > roundBytes {
			out, start, size = append(out, records[start:i]), i, 0
		}
		size += n
	}
	if start < len(records) {
		out = append(out, records[start:])
	}
	return out
}
