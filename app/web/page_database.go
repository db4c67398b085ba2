package web

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/views"
)

// getDatabase is the health of all databases: GET /database. It shows the last check, which runs in the background.
func (s *Server) getDatabase(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Databases", "queries")
	if err != nil {
		return err
	}
	report := s.health.Report()
	p := views.DatabaseProps{At: report.At, Took: report.Took, Node: c.Query("node"), Verdict: c.Query("verdict"), Counts: map[model.Verdict]int{}}
	for _, f := range report.Findings {
		if !slices.Contains(p.Nodes, f.Node) {
			p.Nodes = append(p.Nodes, f.Node)
		}
		if p.Node != "" && f.Node != p.Node {
			continue
		}
		p.Counts[f.Verdict]++
		if p.Verdict == "" || string(f.Verdict) == p.Verdict {
			p.Findings = append(p.Findings, f)
		}
	}
	slices.Sort(p.Nodes)
	for _, srv := range report.Servers {
		p.Servers = append(p.Servers, views.DatabaseServer{Names: strings.Join(srv.Nodes, ", "), Facts: srv.Facts, Down: srv.Down,
			Tiles: serverTiles(srv, report), Settings: views.SettingRows(srv.Facts.Settings)})
	}
	return s.render(c, fiber.StatusOK, views.DatabasePage(chrome, p))
}

// postDatabase checks now: POST /database.
func (s *Server) postDatabase(c *fiber.Ctx) error {
	if err := s.health.Again(c.UserContext()); err != nil {
		return s.refused(c, err, "/database")
	}
	s.setToast(c, toast{Text: "Checked just now"})
	return c.Redirect("/database", fiber.StatusSeeOther)
}

// answersOf are the answers of one check, of one partition or of all.
func answersOf(r requests.HealthReport, check, part string) (out []model.Finding) {
	for _, f := range r.Findings {
		if f.Check == check && (part == "" || f.Node == part) {
			out = append(out, f)
		}
	}
	return out
}

// tilesOf are the vital signs of the server of one partition, or of the worst of all of them.
func tilesOf(r requests.HealthReport, part string) []views.VitalTile {
	var chosen *requests.HealthServer
	for i, srv := range r.Servers {
		if srv.Down == "" && (part == "" || slices.Contains(srv.Nodes, part)) && (chosen == nil || troubles(srv, r) > troubles(*chosen, r)) {
			chosen = &r.Servers[i]
		}
	}
	if chosen == nil {
		return nil
	}
	tiles := serverTiles(*chosen, r)
	return append(tiles, worstTile("Dead rows", r, "vacuum", part), worstTile("Unused indexes", r, "unused_index", part))
}

// troubles counts what is wrong with a server.
func troubles(srv requests.HealthServer, r requests.HealthReport) (n int) {
	for _, f := range r.Findings {
		if f.Node == strings.Join(srv.Nodes, ", ") && (f.Verdict == model.Bad || f.Verdict == model.Warn) {
			n++
		}
	}
	return n
}

// worstTile is the worst answer of a check over the partitions.
func worstTile(name string, r requests.HealthReport, check, part string) views.VitalTile {
	all := answersOf(r, check, part)
	if len(all) == 0 {
		return views.VitalTile{Name: name, Value: "–"}
	}
	f := all[0] // findings stand worst first
	return views.VitalTile{Name: name, Verdict: f.Verdict, Value: f.Value, Unit: f.Unit, Sub: f.Node + ": " + f.Said}.OrDash()
}

// vital is one tile: the check that judges it and the number that is drawn.
type vital struct {
	name, check string
	line        func(before, now requests.VitalSample) (float64, bool)
}

// rate is the share of hits among the blocks asked for between two moments; none when nothing was.
func rate(hits, reads int64) (float64, bool) {
	if hits+reads <= 0 || hits < 0 || reads < 0 {
		return 0, false
	}
	return float64(hits) / float64(hits+reads), true
}

var vitals = []vital{
	{"Index hits", "index_hits", func(a, b requests.VitalSample) (float64, bool) {
		return rate(b.IndexHits-a.IndexHits, b.IndexReads-a.IndexReads)
	}},
	{"Buffer hits", "table_hits", func(a, b requests.VitalSample) (float64, bool) {
		return rate(b.TableHits-a.TableHits, b.TableReads-a.TableReads)
	}},
	{"Replication lag", "replication_lag", func(_, b requests.VitalSample) (float64, bool) { return b.Lag.Seconds(), true }},
	{"Connections", "connections", func(_, b requests.VitalSample) (float64, bool) { return float64(b.Connections), true }},
	{"Locks", "blocked", func(a, b requests.VitalSample) (float64, bool) { return float64(b.Deadlocks - a.Deadlocks), true }},
	{"Idle in transaction", "idle_in_transaction", func(_, b requests.VitalSample) (float64, bool) { return b.OldestTx.Seconds(), true }},
}

// serverTiles are the vital signs of one server.
func serverTiles(srv requests.HealthServer, r requests.HealthReport) (tiles []views.VitalTile) {
	node := strings.Join(srv.Nodes, ", ")
	for _, v := range vitals {
		t := views.VitalTile{Name: v.name}
		for _, f := range r.Findings {
			if f.Check == v.check && f.Node == node {
				t.Verdict, t.Value, t.Unit, t.Sub = f.Verdict, f.Value, f.Unit, f.Said
			}
		}
		for i := 1; i < len(srv.Vitals); i++ {
			if y, ok := v.line(srv.Vitals[i-1], srv.Vitals[i]); ok {
				t.Line = append(t.Line, y)
			}
		}
		tiles = append(tiles, t.OrDash())
	}
	return tiles
}
