package requests

import (
	"context"
	"strings"
	"unicode/utf8"

	"kibitz/app/model"
	"kibitz/app/store"
)

// Limits of the names of a project. What comes after them is counted under one name, so that a client that makes an endpoint
// of every URL costs rows and not memory.
const (
	maxEndpoints  = 5_000  // endpoints_per_project
	maxLabels     = 10_000 // labels_per_project, of each kind
	maxStatements = 20_000 // statements_per_project
	maxName       = 200    // characters of an endpoint's name or a label
	maxSQL        = 16 << 10
)

// otherEndpoint is the name under which endpoints beyond the limit are counted.
const otherEndpoint = "(other endpoints)"

type endpointKey struct {
	project               int64
	service, method, name string
}

type labelKey struct {
	project int64
	kind    model.LabelKind
	value   string
}

type statementKey struct {
	project     int64
	fingerprint uint64
}

// names remembers the ids of names. It is used by one goroutine.
type names struct {
	store      *store.Store
	endpoints  map[endpointKey]*model.Endpoint
	labels     map[labelKey]int32
	statements map[statementKey]int32
	counts     map[any]int // how many of a limit are used up

	newEndpoints  map[endpointKey]bool
	newLabels     map[labelKey]bool
	newStatements map[statementKey]store.Statement
}

func newNames(s *store.Store) *names {
	return &names{store: s, endpoints: map[endpointKey]*model.Endpoint{}, labels: map[labelKey]int32{}, statements: map[statementKey]int32{},
		counts: map[any]int{}, newEndpoints: map[endpointKey]bool{}, newLabels: map[labelKey]bool{}, newStatements: map[statementKey]store.Statement{}}
}

// cut bounds a name that comes from outside, at a whole character, and keeps it to one line.
func cut(text string, most int) string {
	if len(text) > most {
		for most > 0 && !utf8.RuneStart(text[most]) {
			most--
		}
		text = text[:most]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
}

// limited counts one more under a limit, and tells whether it is beyond.
func (n *names) limited(limit any, most int) bool {
	n.counts[limit]++
	return n.counts[limit] > most
}

type endpointLimit struct{ project int64 }

func (n *names) wantEndpoint(k endpointKey) endpointKey {
	if n.endpoints[k] != nil || n.newEndpoints[k] {
		return k
	}
	if n.limited(endpointLimit{k.project}, maxEndpoints) {
		k = endpointKey{project: k.project, name: otherEndpoint}
	}
	n.newEndpoints[k] = true
	return k
}

type labelLimit struct {
	project int64
	kind    model.LabelKind
}

// wantLabel asks for a label. One beyond the limit has no id, which is 0.
func (n *names) wantLabel(project int64, kind model.LabelKind, value string) labelKey {
	k := labelKey{project, kind, cut(value, maxName)}
	if _, ok := n.labels[k]; ok || n.newLabels[k] || k.value == "" {
		return k
	}
	if n.limited(labelLimit{project, kind}, maxLabels) {
		return labelKey{}
	}
	n.newLabels[k] = true
	return k
}

type statementLimit struct{ project int64 }

func (n *names) wantStatement(k statementKey, sql, sample string) {
	if _, ok := n.statements[k]; ok {
		return
	}
	if _, ok := n.newStatements[k]; ok || n.limited(statementLimit{k.project}, maxStatements) {
		return
	}
	n.newStatements[k] = store.Statement{ProjectID: k.project, Fingerprint: k.fingerprint, SQL: cut(sql, maxSQL), Sample: cut(sample, maxSQL)}
}

// resolve gives everything that was asked for its id: at most three round trips, and none once the names are known.
func (n *names) resolve(ctx context.Context) error {
	if err := n.resolveEndpoints(ctx); err != nil {
		return err
	}
	if err := n.resolveLabels(ctx); err != nil {
		return err
	}
	if len(n.newStatements) == 0 {
		return nil
	}
	list := make([]store.Statement, 0, len(n.newStatements))
	for _, s := range n.newStatements {
		list = append(list, s)
	}
	if err := n.store.PutStatements(ctx, list); err != nil {
		return err
	}
	for _, s := range list {
		n.statements[statementKey{s.ProjectID, s.Fingerprint}] = s.ID
	}
	clear(n.newStatements)
	return nil
}

func (n *names) resolveEndpoints(ctx context.Context) error {
	if len(n.newEndpoints) == 0 {
		return nil
	}
	list := make([]model.Endpoint, 0, len(n.newEndpoints))
	for k := range n.newEndpoints {
		list = append(list, model.Endpoint{ProjectID: k.project, Service: k.service, Method: k.method, Name: k.name})
	}
	if err := n.store.PutEndpoints(ctx, list); err != nil {
		return err
	}
	for i := range list {
		e := &list[i]
		n.endpoints[endpointKey{e.ProjectID, e.Service, e.Method, e.Name}] = e
	}
	clear(n.newEndpoints)
	return nil
}

func (n *names) resolveLabels(ctx context.Context) error {
	if len(n.newLabels) == 0 {
		return nil
	}
	list := make([]model.Label, 0, len(n.newLabels))
	for k := range n.newLabels {
		list = append(list, model.Label{ProjectID: k.project, Kind: k.kind, Value: k.value})
	}
	if err := n.store.PutLabels(ctx, list); err != nil {
		return err
	}
	for _, l := range list {
		n.labels[labelKey{l.ProjectID, l.Kind, l.Value}] = l.ID
	}
	clear(n.newLabels)
	return nil
}

// answers are the ids of the answers of switches; those beyond the limit have none.
func (n *names) answers(keys []labelKey) (ids []int32) {
	for _, k := range keys {
		if id := n.labels[k]; id != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}
