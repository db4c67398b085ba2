package requests

import (
	"context"
	"strconv"
	"strings"
	"time"

	"kibitz/app/model"
	"kibitz/app/trace"
)

// call is one statement within a request.
type call struct {
	print  uint64
	sql    string // normalised
	sample string
	caller string // file:line function; "" unknown
	took   time.Duration
	rows   int64 // -1 unknown
	failed bool
	span   trace.SpanID
	pid    int32         // of the backend; 0 unknown
	end    time.Duration // since the request's start
}

// analyse does on all cores what needs nothing but the request. Ids are given before, in the order of arrival: lists of the newest
// go by them.
func (d *Digester) analyse(b *batch) error {
	for _, it := range b.items {
		it.row.ID = d.ids.Next()
	}
	return eachOn(len(b.items), func(i int) error {
		it := b.items[i]
		totals := trace.Sum(&it.Request)
		it.row = model.RequestRow{ID: it.row.ID, Received: it.received, ProjectID: it.project, Trace: it.Trace, Span: it.Span, Start: it.Start,
			Duration: it.Duration, Totals: totals, UserHash: it.userHash(), Weight: it.Weight, Status: min(max(it.Status, 0), 999), Failed: it.Failed}
		it.calls = d.statements(it)
		return nil
	})
}

// userHash counts people as errors do.
func (it *item) userHash() int64 {
	if it.User == "ip:{{auto}}" {
		return model.UserHash("ip:" + it.remote)
	}
	return model.UserHash(it.User)
}

// statements are those of a request, with their values taken out.
func (d *Digester) statements(it *item) []call {
	var list []call
	for i := range it.Spans {
		s := &it.Spans[i]
		if s.Category != trace.DB || s.Text == "" {
			continue
		}
		form := d.normalize.Normalize(s.Text)
		if form.Text == "" {
			continue
		}
		list = append(list, call{form.Fingerprint, form.Text, s.Text, callerOf(s), max(s.Duration-s.Pool, 0), s.Rows, s.Failed, s.ID, s.PID, s.Start + s.Duration})
	}
	return list
}

// callerOf is the line of code that a span was asked for by.
func callerOf(s *trace.Span) string {
	if s.File == "" {
		return s.Func
	}
	at := s.File
	if s.Line > 0 {
		at += ":" + strconv.Itoa(s.Line)
	}
	return strings.TrimSpace(at + " " + s.Func)
}

// name gives everything that the batch names its id.
func (d *Digester) name(ctx context.Context, b *batch) error {
	keys := make([]itemNames, len(b.items))
	for i, it := range b.items {
		keys[i] = d.ask(it)
	}
	d.askServerLogs(b)
	d.askEvents(b)
	if err := d.names.resolve(ctx); err != nil {
		return err
	}
	for i, it := range b.items {
		keys[i].apply(d.names, it)
	}
	return nil
}

// itemNames are the names of one request.
type itemNames struct {
	endpoint           endpointKey
	release, env, host labelKey
	switches           []labelKey
}

// maxSwitches bounds the switches of one request that are counted.
const maxSwitches = 50

func (d *Digester) ask(it *item) (n itemNames) {
	name := cut(it.Name, maxName)
	if name == "" {
		name = "(unnamed)"
	}
	n.endpoint = d.names.wantEndpoint(endpointKey{it.project, cut(it.Service, maxName), cut(it.Method, 20), name})
	n.release = d.names.wantLabel(it.project, model.LabelRelease, it.Release)
	n.env = d.names.wantLabel(it.project, model.LabelEnvironment, it.Environment)
	n.host = d.names.wantLabel(it.project, model.LabelHost, it.Host)
	for _, s := range it.Switches[:min(len(it.Switches), maxSwitches)] {
		n.switches = append(n.switches, d.names.wantLabel(it.project, model.LabelSwitch, s.Key+"="+s.Variant))
	}
	for _, c := range it.calls {
		d.names.wantStatement(statementKey{it.project, c.print}, c.sql, c.sample)
		d.names.wantLabel(it.project, model.LabelCaller, c.caller)
	}
	return n
}

// askEvents asks for the switches that error events name.
func (d *Digester) askEvents(b *batch) {
	b.eventNames = make([]itemNames, len(b.seenEvents))
	for i := range b.seenEvents {
		e, n := &b.seenEvents[i], &b.eventNames[i]
		if !e.Fault || len(e.Switches) == 0 {
			continue
		}
		n.env = d.names.wantLabel(e.Project, model.LabelEnvironment, e.Env)
		for _, s := range e.Switches[max(0, len(e.Switches)-maxSwitches):] { // the newest last
			n.switches = append(n.switches, d.names.wantLabel(e.Project, model.LabelSwitch, s.Key+"="+s.Variant))
		}
	}
}

func (n *itemNames) apply(names *names, it *item) {
	it.endpoint = names.endpoints[n.endpoint]
	if it.endpoint != nil {
		it.row.Endpoint = it.endpoint.ID
	}
	it.row.Release, it.row.Env, it.row.Host = names.labels[n.release], names.labels[n.env], names.labels[n.host]
	it.row.Switches = names.answers(n.switches)
}
