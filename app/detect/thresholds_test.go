package detect

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"kibitz/app/errs"
	"kibitz/app/trace"
)

func TestThresholdsJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`:                    `{}`,
		`null`:                  `{}`,
		`{"slow_query_ms":500}`: `{}`,
		`{"slow_query_ms":0}`:   `{"slow_query_ms":0}`,
		`{"n_plus_one_query_count":12, "slow_query_ms": 900}`: `{"n_plus_one_query_count":12,"slow_query_ms":900}`,
	} {
		var th Thresholds
		if err := json.Unmarshal([]byte(text), &th); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got, err := json.Marshal(th); err != nil || string(got) != want {
			t.Errorf("%s became %s, want %s (%v)", text, got, want, err)
		}
	}
	for text, part := range map[string]string{
		`[]`:                                    `{"n_plus_one_query_count": 10}`,
		`{"slow_query_ms":"5"}`:                 "whole numbers",
		`{"slow_query_ms":1.5}`:                 "whole numbers",
		`{"slow_query":5}`:                      `There is no threshold "slow_query". There are n_plus_one_query_count, `,
		`{"slow_query_ms":-1}`:                  "slow_query_ms must be between 1 and 3600000 ms, or 0 to turn the detector off, not -1.",
		`{"n_plus_one_query_count":1}`:          "n_plus_one_query_count must be between 2 and 100000 repeats",
		`{"n_plus_one_query_total_ms":3600001}`: "must be between 0 and 3600000 ms, not",
	} {
		th := Thresholds{SlowQuery: 77}
		err := json.Unmarshal([]byte(text), &th)
		if err == nil || !strings.Contains(errs.Message(err), part) || errs.Of(err) != errs.Unprocessable || th.SlowQuery != 77 {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestThresholdsTable: each name has a field of its own, and its default is allowed.
func TestThresholdsTable(t *testing.T) {
	t.Parallel()
	for _, f := range Defaults().Fields() {
		th := Defaults()
		if err := th.Set(f.Name, f.Default); err != nil {
			t.Error(err)
		}
		if err := th.Set(f.Name, f.Most); err != nil {
			t.Error(err)
		}
		for _, g := range th.Fields() {
			if g.Name == f.Name && g.Value != f.Most || g.Name != f.Name && g.Value != g.Default {
				t.Errorf("set %s: %s is %d", f.Name, g.Name, g.Value)
			}
		}
	}
}

func TestTurnedOff(t *testing.T) {
	t.Parallel()
	th := Defaults()
	for _, f := range th.Fields() {
		if f.Off {
			if err := th.Set(f.Name, 0); err != nil {
				t.Error(err)
			}
		}
	}
	found, why := everything().run(th)
	for _, d := range detectors {
		if why[d.kind] != off {
			t.Errorf("%s: %q", d.kind, why[d.kind])
		}
	}
	if f, why := Compare(measured(100, 1), measured(100, 9), Change{}, th); len(found) > 0 || f != nil || why.String() != off {
		t.Errorf("%+v, %v, %v", found, f, why)
	}
}

// measured is n requests that took around so many ms: lognormal, as durations are.
func measured(n int, median float64) Distribution {
	rng := rand.New(rand.NewPCG(uint64(n), math.Float64bits(median)))
	return sampled(rng, n, median)
}

func sampled(rng *rand.Rand, n int, median float64) Distribution {
	list := make([]time.Duration, n)
	for i := range list {
		list[i] = time.Duration(median * math.Exp(0.5*rng.NormFloat64()) * float64(time.Millisecond))
	}
	slices.Sort(list)
	return Distribution{n, func(q float64) time.Duration { return list[min(n-1, int(q*float64(n)))] }}
}

// fixed is n requests of which all took so long.
func fixed(n int, took time.Duration) Distribution {
	return Distribution{n, func(float64) time.Duration { return took }}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	c := Change{Endpoint: "shop GET /cart", By: "release", To: "release 2.4.1"}
	for _, x := range []struct {
		before, after Distribution
		why           string
	}{
		{fixed(199, 100*time.Millisecond), fixed(900, 300*time.Millisecond), "199 requests of 200 needed"},
		{fixed(900, 100*time.Millisecond), fixed(0, 300*time.Millisecond), "0 requests of 200 needed"},
		{fixed(200, 50*time.Millisecond), fixed(200, 69*time.Millisecond), "19 ms of 20 ms needed"},
		{fixed(200, 300*time.Millisecond), fixed(200, 100*time.Millisecond), "0 ms of 20 ms needed"},
		{fixed(200, time.Second), fixed(200, 1199*time.Millisecond), "19.9 % of 20 % needed"},
		{fixed(200, time.Second), fixed(200, 1200*time.Millisecond), ""},
		{fixed(200, 0), fixed(200, 20*time.Millisecond), ""},
		{measured(200, 100), measured(201, 130), "200 and 201 requests are too few to be sure of a rise"},
		{measured(20_000, 100), measured(20_001, 130), ""},
	} {
		found, why := Compare(x.before, x.after, c, Defaults())
		if (found == nil) != (x.why != "") || !strings.HasPrefix(why.String(), x.why) {
			t.Errorf("%v to %v: %+v, %q instead of %q", x.before.Quantile(p95), x.after.Quantile(p95), found, why, x.why)
		}
	}
	found, _ := Compare(fixed(200, 1234*time.Millisecond), fixed(200, 2*time.Second), c, Defaults())
	if found.Title != "Slower endpoint: p95 of shop GET /cart" || found.Wasted != 766*time.Millisecond ||
		found.Evidence.Examples[0] != "p95 rose from 1.23s to 2s with release 2.4.1" || strings.Join(found.Fingerprint, "|") != "endpoint_regression|shop GET /cart|release|" {
		t.Errorf("%+v", found)
	}
}

// TestCompareByChance: what did not change must hardly ever look changed, and what doubled nearly always.
func TestCompareByChance(t *testing.T) {
	t.Parallel()
	th := Defaults()
	th.RegressionMs, th.RegressionPercent = 0, 0 // only surety decides
	rng := rand.New(rand.NewPCG(1, 2))
	byChance, missed := 0, 0
	for range 2000 {
		if f, _ := Compare(sampled(rng, 300, 100), sampled(rng, 300, 100), Change{}, th); f != nil {
			byChance++
		}
		if f, _ := Compare(sampled(rng, 300, 100), sampled(rng, 300, 250), Change{}, th); f == nil {
			missed++
		}
	}
	if byChance > 4 || missed > 20 {
		t.Errorf("%d of 2,000 found by chance, %d of 2,000 missed", byChance, missed)
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"GET https://a.example/v2/users/42/posts?page=3#top": "GET https://a.example/v2/users/{id}/posts",
		"GET https://a.example:8443":                         "GET https://a.example:8443",
		"GET /files/3f2a9c0d11.png":                          "GET /files/{id}",
		"GET /o/0190c4e7-1111-7222-8333-444455556666/x":      "GET /o/{id}/x",
		"PUT /b/deadbeef01":                                  "PUT /b/{id}",
		"GET /mail/a@b.example":                              "GET /mail/{id}",
		"GET /oauth2/token":                                  "GET /oauth2/token",
		"GET /search/caf%C3%A9":                              "GET /search/{id}",
		"":                                                   "",
		"://":                                                "://",
	} {
		if got := urlForm(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"price:NZD:40112": "price:NZD:?", "session.9f21aac4e0": "session.?", "taxrules": "taxrules", "v2:a_7": "v2:a_?", "": ""} {
		if got := keyForm(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestTitle(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]string{
		"select a, (select max(b) from c) from d where e = ?": "SELECT … FROM d WHERE e = ?",
		"select ?":                               "SELECT ?",
		"insert into line(a, b) values (?)":      "INSERT INTO line(…) VALUES (?)",
		"insert into line select a from b":       "INSERT INTO line SELECT a FROM b",
		"update stock set n = ? where id in (?)": "UPDATE stock SET n = ? WHERE id IN (?)",
	} {
		c := call{form: form, read: strings.HasPrefix(form, "select"), write: !strings.HasPrefix(form, "select")}
		if got := c.title(); got != want {
			t.Errorf("%q: %q, want %q", form, got, want)
		}
	}
	c := call{form: "DELETE https://a.example/select/" + strings.Repeat("ä", 200)}
	if got := c.title(); len(got) > maxTitle+3 || !strings.HasPrefix(got, "DELETE https://a.example/select/ä") || !strings.HasSuffix(got, "ä…") {
		t.Errorf("%q", got)
	}
}

func TestIsBatch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"SELECT a FROM b WHERE c IN (1)":                   false,
		"SELECT a FROM b WHERE c IN (1, 2)":                true,
		"select a from b where c in\n($1,$2)":              true,
		"SELECT a FROM b WHERE c IN ('x,y')":               false,
		"SELECT a FROM b WHERE c IN (SELECT d, e FROM f)":  false,
		"SELECT a FROM b WHERE (c, d) IN ((1, 2))":         false,
		"SELECT a FROM b WHERE (c, d) IN ((1, 2), (3, 4))": true,
		"SELECT bin(1, 2) FROM b":                          false,
		"SELECT a FROM b WHERE c = ANY($1)":                true,
		"SELECT a FROM b JOIN unnest($1) ON true":          true,
		"SELECT a FROM b LIMIT 5 OFFSET 10":                true,
		"INSERT INTO a (b, c) VALUES (1, 2)":               false,
		"INSERT INTO a (b, c) VALUES (1, (2)), (3, 4)":     true,
		"INSERT INTO a VALUES ('),(')":                     false,
		"INSERT INTO a VALUES ('it''s')":                   false,
		"INSERT INTO a VALUES (":                           false,
	} {
		if got := isBatch(&trace.Span{Text: text}); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if !isBatch(&trace.Span{Attrs: []trace.Attr{{Key: "db.operation.batch.size", Value: "12"}}}) {
		t.Error("a batch of 12 is none")
	}
}

func TestPlaceholder(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"a = $1": true, "a = ?": true, "a = %s": true, "a = %(b)s": true, "a = :b": true, "a = @b": true,
		"a::text = 'x'": false, "a = 1": false, "a LIKE '5%'": false, "'$' || a": false, "$": false} {
		if got := placeholder(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
