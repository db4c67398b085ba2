package web

import (
	"encoding/csv"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"kibitz/views"
)

// columns are the cells of a CSV's line by name.
func columns(t *testing.T, r reply, line int) map[string]string {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(r.text)).ReadAll()
	if err != nil || len(all) <= line {
		t.Fatalf("%v: %s", err, r.text)
	}
	out := map[string]string{}
	for i, name := range all[0] {
		out[name] = all[line][i]
	}
	return out
}

// TestQueriesCSV holds that the file tells what the page tells, for a project and for the servers.
func TestQueriesCSV(t *testing.T) {
	t.Parallel()
	w, p := digested(t)
	fingerprint := w.record(t, "shop", "SELECT * FROM cart WHERE id = 88213")
	r := w.see(t, p, "/queries.csv?project=shop").wantStatus(t, 200)
	got := columns(t, r, 1)
	if got["id"] != fmt.Sprintf("%016x", fingerprint) || got["project"] != "shop" || got["calls"] != "8" || got["share"] != "1" || got["blocks_hit"] != "" ||
		!strings.Contains(strings.ToLower(got["statement"]), "from cart") || !strings.Contains(got["first_caller"], "cart.py:41") || got["first_endpoint"] != "GET /cart" || got["total_ms"] == "0" {
		t.Errorf("got %v", got)
	}
	if r.Header.Get("Content-Disposition") != `attachment; filename="queries-shop.csv"` || r.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("%v", r.Header)
	}
	if page := w.see(t, p, "/queries?project=shop").wantStatus(t, 200); !strings.Contains(page.text, `href="/queries.csv?`) || !strings.Contains(page.text, "project=shop") {
		t.Error("the page does not link to its file")
	}
	own := columns(t, w.see(t, p, "/queries.csv?partition=ops&rank=calls").wantStatus(t, 200), 1)
	if own["partition"] != "ops" || own["blocks_hit"] == "" || own["statement"] == "" {
		t.Errorf("got %v", own)
	}
	w.see(t, p, "/queries.csv?rank=nothing").wantStatus(t, 400)
}

// TestStatementLine holds what is unknown and what a spreadsheet would take for a formula.
func TestStatementLine(t *testing.T) {
	t.Parallel()
	line := statementLine(&views.StatementRow{ID: "1", SQL: "=1+1", RowsPerCall: math.NaN(), Total: 1500 * time.Microsecond,
		Callers: []views.StatementCaller{{Code: "@x", Endpoint: "-y"}}})
	want := "1,,,'=1+1,0,1.5,0,,,0,0,,,,,,'@x,'-y,,,,"
	if got := strings.Join(line, ","); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
