package requests

import (
	"context"
	"slices"
	"time"

	"kibitz/app/db"
	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/requests/health"
)

// round is what all servers said in one check.
type round struct {
	servers  []*asked
	nodes    map[db.Node]*asked
	replicas map[string][]model.SchemaFacts // by partition
}

// asked is one server and what is on it.
type asked struct {
	HealthServer
	schemas []model.SchemaFacts // of the partitions whose primary, or replica, it is
}

// ask reads the facts of every server and of every schema on it. One that is away costs only itself.
func (h *Health) ask(ctx context.Context) *round {
	r := &round{nodes: map[db.Node]*asked{}, replicas: map[string][]model.SchemaFacts{}}
	for _, node := range h.store.Nodes() {
		s := r.askServer(ctx, h, node)
		r.nodes[node] = s
		if s.Down == "" {
			r.askSchema(ctx, h, node, s)
		}
	}
	return r
}

// askServer answers a node's server, asked once however many nodes are on it.
func (r *round) askServer(ctx context.Context, h *Health, node db.Node) *asked {
	identity, err := h.store.ServerIdentity(ctx, node)
	for _, s := range r.servers {
		if err == nil && s.Facts.Identity == identity {
			s.Nodes, s.Parts = append(s.Nodes, node.String()), append(s.Parts, string(node.Part))
			return s
		}
	}
	s := &asked{HealthServer: HealthServer{Nodes: []string{node.String()}, Parts: []string{string(node.Part)}}}
	r.servers = append(r.servers, s)
	if err == nil {
		s.Facts, err = h.store.ServerFacts(ctx, node)
	}
	if err != nil {
		h.log.Warn("cannot check a server", "server", node.String(), "err", err)
		s.Facts.Identity, s.Facts.Node, s.Down = "", node.String(), downReason(err)
	}
	if h.local != nil && h.local(string(node.Part)) {
		s.Facts.MemoryAvailable = h.memory()
	}
	return s
}

// downReason is what a page says; the error itself is in the log.
func downReason(err error) string {
	if errs.Of(err) == errs.Unavailable {
		return "It does not answer, or has no connection to spare."
	}
	return "It answers, but what it says could not be read; the log says why."
}

func (r *round) askSchema(ctx context.Context, h *Health, node db.Node, s *asked) {
	if slices.ContainsFunc(s.schemas, func(f model.SchemaFacts) bool { return f.Part == string(node.Part) }) {
		return // a "replica" that is the primary itself
	}
	schema, err := h.store.SchemaFacts(ctx, node)
	if err != nil {
		h.log.Warn("cannot check a partition", "server", node.String(), "err", err)
		return
	}
	s.schemas = append(s.schemas, schema)
	if node.Replica > 0 {
		r.replicas[string(node.Part)] = append(r.replicas[string(node.Part)], schema)
	}
	cached, err := h.store.IndexResidency(ctx, node)
	if err != nil {
		h.log.Warn("cannot tell which indexes are in memory", "server", node.String(), "err", err)
	}
	if cached != nil && s.Facts.Cached == nil {
		s.Facts.Cached = map[int64]int64{}
	}
	for oid, n := range cached {
		s.Facts.Cached[oid] = n
	}
}

// primary is a partition's schema on its primary, and that server; nil when it could not be read.
func (r *round) primary(part string) (*model.SchemaFacts, *asked) {
	s := r.nodes[db.Node{Part: db.Partition(part)}]
	if s == nil {
		return nil, nil
	}
	for i := range s.schemas {
		if s.schemas[i].Part == part {
			return &s.schemas[i], s
		}
	}
	return nil, s
}

func (r *round) list() (out []HealthServer) {
	for _, s := range r.servers {
		out = append(out, s.HealthServer)
	}
	return out
}

// space are today's sizes of every partition whose primary could be asked.
func (r *round) space(now time.Time) (out []model.SpaceSample) {
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	for _, p := range db.Partitions {
		if schema, _ := r.primary(string(p)); schema != nil {
			out = append(out, health.Space(*schema, day)...)
		}
	}
	return out
}
