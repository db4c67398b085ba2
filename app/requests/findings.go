package requests

import (
	"cmp"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"kibitz/app/detect"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// foundKinds are the kinds of findings by their bits in request.found. Their order is stored: only add to it.
var foundKinds = []detect.Kind{detect.QueryLoop, detect.WriteLoop, detect.HTTPLoop, detect.CacheLoop, detect.SlowQuery, detect.DuplicateQuery,
	detect.ConsecutiveQueries, detect.ConsecutiveHTTP, detect.Regression}

// FoundNames are the kinds of findings that a row's bits stand for, as people call them.
func FoundNames(bits int32) (list []string) {
	for i, kind := range foundKinds {
		if bits&(1<<i) != 0 {
			list = append(list, kind.String())
		}
	}
	return list
}

func foundBits(found []detect.Finding) (bits int32) {
	for _, f := range found {
		for i, kind := range foundKinds {
			if f.Kind == kind {
				bits |= 1 << i
			}
		}
	}
	return bits
}

// Detect gives what detectors find in a request by an endpoint's thresholds, and why the others found nothing.
func (r *Requests) Detect(q *trace.Request, e model.Endpoint) ([]detect.Finding, []detect.Reason) {
	return detect.Run(q, r.normalize, Thresholds(e.Thresholds))
}

// Thresholds are an endpoint's own thresholds, as they are stored, and the defaults for the rest.
func Thresholds(stored []byte) detect.Thresholds {
	th := detect.Defaults()
	if len(stored) > 2 {
		if err := json.Unmarshal(stored, &th); err != nil {
			return detect.Defaults() // written by a version that knew others
		}
	}
	return th
}

// findingEvery is how often a finding becomes an event: an endpoint with a loop has one in every request, and a thousand
// of them tell no more than one a minute (limit finding_per_minute).
const findingEvery = time.Minute

// maxFindings bounds what is remembered of findings; when it is full, all is forgotten and some come a little early.
const maxFindings = 10_000

type findingKey struct {
	project int64
	key     [16]byte
}

// sighting is what is remembered of a finding.
type sighting struct {
	filed   time.Time
	release int32
	since   int64 // sightings that were not filed, with the last that was
}

// findings files what detectors found. It is used by one goroutine.
type findings struct {
	seen  map[findingKey]*sighting
	fixed map[findingKey]int32 // releases in which a finding was gone
}

func newFindings() *findings {
	return &findings{seen: map[findingKey]*sighting{}, fixed: map[findingKey]int32{}}
}

// file makes events of what was found in a request, and counts what makes none.
func (f *findings) file(d *Digester, b *batch, it *item) (err error) {
	for i := range it.found {
		found := &it.found[i]
		if found.Hint {
			continue
		}
		key := findingKey{it.project, findingKeyOf(found)}
		if fixed := f.fixed[key]; fixed != 0 && it.row.Release < fixed {
			b.count(it.project, it.received, "finding", string(ingest.Filtered), "fixed_in_later_release", 1)
			continue
		}
		n := f.due(key, it)
		if n == 0 {
			b.count(it.project, it.received, "finding", string(ingest.Filtered), "finding_per_minute", 1)
			continue
		}
		event, err := d.findingEvent(it, found, key)
		if err != nil {
			return err
		}
		b.events = append(b.events, event)
		b.seen = append(b.seen, store.FindingSeen{Project: it.project, Key: key.key, Endpoint: it.row.Endpoint, Kind: string(found.Kind), At: it.Start,
			Release: it.row.Release, N: n, Wasted: found.Wasted, File: cut(found.Evidence.File, maxName), Line: found.Evidence.Line, Evidence: inWords(found)})
	}
	return nil
}

// due tells whether a finding is to be filed now, and for how many sightings.
func (f *findings) due(key findingKey, it *item) int64 {
	s := f.seen[key]
	if s == nil {
		if len(f.seen) >= maxFindings {
			clear(f.seen)
		}
		s = &sighting{}
		f.seen[key] = s
	}
	s.since++
	if it.received.Sub(s.filed) < findingEvery && s.release == it.row.Release {
		return 0
	}
	n := s.since
	s.filed, s.release, s.since = it.received, it.row.Release, 0
	return n
}

func findingKeyOf(f *detect.Finding) [16]byte {
	return md5.Sum([]byte(strings.Join(f.Fingerprint, "\x00")))
}

// findingEvent is a finding in the form of an error event, so that the grouper treats it as one: its issue is resolved,
// comes back, is merged and archived as any other.
func (d *Digester) findingEvent(it *item, f *detect.Finding, key findingKey) (model.FindingEvent, error) {
	e := model.FindingEvent{ID: d.ids.Next(), Project: it.project, Received: it.received}
	h := md5.Sum(fmt.Appendf(nil, "%x %x %x", it.Trace, uint64(it.Span), key.key)) // of a request that is digested again it is the same
	copy(e.EventID[:], h[:])
	body, err := json.Marshal(eventOf(it, f, e.EventID))
	if err != nil {
		return e, fmt.Errorf("cannot write a finding as an event: %w", err)
	}
	e.Body = d.out.EncodeAll(body, nil)
	return e, nil
}

type object map[string]any

func eventOf(it *item, f *detect.Finding, id [16]byte) object {
	name, value, _ := strings.Cut(f.Title, ": ")
	exception := object{"type": name, "value": value, "mechanism": object{"type": "detector", "handled": true}}
	if f.Evidence.File != "" || f.Evidence.Func != "" {
		exception["stacktrace"] = object{"frames": []object{{"filename": f.Evidence.File, "lineno": f.Evidence.Line, "function": f.Evidence.Func, "in_app": true}}}
	}
	event := object{
		"event_id": fmt.Sprintf("%x", id), "timestamp": float64(it.Start.UnixMicro()) / 1e6, "platform": cmp.Or(it.Platform, "other"), "level": "warning",
		"logger": "kibitz.detect", "transaction": strings.TrimSpace(it.Method + " " + it.Name), "release": it.Release, "environment": it.Environment,
		"server_name": it.Host, "fingerprint": append([]string{"kibitz"}, f.Fingerprint...), "exception": object{"values": []object{exception}},
		"tags":     object{"finding": string(f.Kind), "endpoint": strings.TrimSpace(it.Method + " " + it.Name)},
		"contexts": object{"trace": object{"trace_id": it.Trace.String(), "span_id": it.Span.String()}, "finding": evidenceOf(it, f)},
	}
	if user := userOf(it); user != nil {
		event["user"] = user
	}
	return event
}

// evidenceOf is what a finding stands on, in words for the page.
func evidenceOf(it *item, f *detect.Finding) object {
	e := &f.Evidence
	out := object{"request": "/requests/" + it.Trace.String() + "/" + it.Span.String(), "calls": e.Count, "total": rounded(e.Total), "wasted": rounded(f.Wasted),
		"statement": e.Statement, "advice": e.Suggestion}
	for i, text := range e.Examples {
		out["example "+strconv.Itoa(i+1)] = text
	}
	if e.Source != "" {
		out["after"] = e.Source
	}
	if e.File != "" {
		out["line"] = e.File + ":" + strconv.Itoa(e.Line)
	}
	return out
}

func rounded(d time.Duration) string { return strconv.FormatFloat(millis(d), 'f', -1, 64) + " ms" }

// inWords is what a finding stands on in a sentence, with what to do.
func inWords(f *detect.Finding) string {
	if f.Kind == detect.Regression {
		return strings.Join(append(f.Evidence.Examples, f.Evidence.Suggestion), ". ")
	}
	return cut(fmt.Sprintf("%d calls, %s. %s", f.Evidence.Count, rounded(f.Evidence.Total), f.Evidence.Suggestion), 400)
}

// userOf turns an identity back into the user of an event.
func userOf(it *item) object {
	key, value, ok := strings.Cut(it.User, ":")
	switch {
	case !ok || value == "":
		return nil
	case key == "ip":
		return object{"ip_address": strings.ReplaceAll(value, "{{auto}}", it.remote)}
	}
	return object{key: value}
}
