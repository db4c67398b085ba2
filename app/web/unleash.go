package web

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/switches"
	"kibitz/app/switches/ofrep"
	"kibitz/app/switches/unleash"
)

// maxViews is how many answers to clients of Unleash are kept; each query of each environment has one.
const maxViews = 64

// unleashViews keeps answers to clients of Unleash: all ask the same every fifteen seconds.
type unleashViews struct {
	mu  sync.Mutex
	all map[string]unleashView // by environment and query
}

// unleashView is one answer and the state of the switches that it was made of.
type unleashView struct {
	mark, etag    string
	body, explain []byte
}

// unleashQuery is what a client asks for, and a name for it.
func unleashQuery(v visit) (q unleash.Query, name string) {
	args := v.Context().QueryArgs()
	all := func(key string) (list []string) {
		for _, raw := range args.PeekMulti(key) {
			if len(raw) > 0 && len(list) < 20 {
				list = append(list, string(raw))
			}
		}
		return list
	}
	q = unleash.Query{NamePrefix: strings.Clone(v.Query("namePrefix")), Project: append(all("project"), all("project[]")...), Tag: append(all("tag"), all("tag[]")...),
		Environment: v.holder.Environment()}
	h := fnv.New32a()
	fmt.Fprintf(h, "%q %q %q %q", q.NamePrefix, q.Project, q.Tag, q.Environment)
	return q, fmt.Sprintf("%08x", h.Sum32())
}

// view is the answer to a query, made when the switches have changed since the last one.
func (d *doors) view(v visit) (unleashView, error) {
	q, name := unleashQuery(v)
	s := v.holder.Snapshot()
	mark, key := ofrep.Mark(s), v.holder.Environment()+"\x00"+name
	d.views.mu.Lock()
	defer d.views.mu.Unlock()
	if known, ok := d.views.all[key]; ok && known.mark == mark {
		return known, nil
	}
	made, err := newView(d.Config(v.holder.Environment()), q, name, mark, s.Revision())
	if err != nil {
		return made, err
	}
	if d.views.all == nil || len(d.views.all) >= maxViews {
		d.views.all = map[string]unleashView{}
	}
	d.views.all[key] = made
	return made, nil
}

func newView(c switches.Config, q unleash.Query, name, mark string, revision int64) (unleashView, error) {
	features, notes := unleash.View(c, q, time.Now())
	if features == nil {
		features = []unleash.Feature{}
	}
	// Clients take the middle for a number where they can; a point in it does no harm.
	view := unleashView{mark: mark, etag: `"` + name + ":" + mark + `:v1"`}
	doc := unleash.Document{Version: 2, Features: features, Segments: []unleash.Segment{}, Query: q,
		Meta: unleash.Meta{RevisionID: revision, ETag: view.etag, QueryHash: name}}
	var err error
	if view.body, err = json.Marshal(doc); err != nil {
		return view, fmt.Errorf("cannot write features: %w", err)
	}
	if notes == nil {
		notes = []unleash.Note{}
	}
	if view.explain, err = json.Marshal(fiber.Map{"environment": q.Environment, "revision": revision, "features": len(features), "notExact": notes}); err != nil {
		return view, fmt.Errorf("cannot write what is not exact: %w", err)
	}
	return view, nil
}

// getFeatures is what Unleash's server SDKs evaluate by themselves: GET /api/client/features. With explain=1 it tells which
// switches they get inexactly or not at all, and why.
func (d *doors) getFeatures(v visit) error {
	view, err := d.view(v)
	if err != nil {
		return err
	}
	v.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSONCharsetUTF8)
	if v.QueryBool("explain") {
		return v.Send(view.explain)
	}
	v.Set(fiber.HeaderETag, view.etag)
	if ofrep.Matches(v.Get(fiber.HeaderIfNoneMatch), view.etag) {
		return d.bare(v.Ctx, fiber.StatusNotModified)
	}
	return v.Send(view.body)
}

// getFeature is one of them: GET /api/client/features/{name}.
func (d *doors) getFeature(v visit) error {
	name := v.key()
	features, _ := unleash.View(d.Config(v.holder.Environment()), unleash.Query{NamePrefix: name}, time.Now())
	for _, f := range features {
		if f.Name == name {
			return v.JSON(f)
		}
	}
	return errs.New(errs.NotFound, "There is no feature %q.", name)
}

// postRegister takes who a client is: POST /api/client/register. There is nothing to keep of it.
func (d *doors) postRegister(v visit) error {
	if _, err := readReport(v); err != nil {
		return err
	}
	return d.bare(v.Ctx, fiber.StatusAccepted)
}

// report is what a client of Unleash counted.
type unleashReport struct {
	Bucket struct {
		Toggles map[string]struct {
			Yes      int64            `json:"yes"`
			No       int64            `json:"no"`
			Variants map[string]int64 `json:"variants"`
		} `json:"toggles"`
	} `json:"bucket"`
}

func readReport(v visit) (r unleashReport, err error) {
	body, err := v.body()
	if err != nil {
		return r, err
	}
	if len(body) > maxReport {
		return r, errs.New(errs.TooLarge, "A report has at most %d bytes (limit report).", maxReport)
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, errs.New(errs.Invalid, "The report is no JSON of the form that this address takes.")
	}
	return r, nil
}

// postMetrics counts answers that a client gave: POST /api/client/metrics.
func (d *doors) postMetrics(v visit) error {
	r, err := readReport(v)
	if err != nil {
		return err
	}
	countReport(v.holder, r)
	return d.bare(v.Ctx, fiber.StatusAccepted)
}

// mostAnswers bounds what one report may claim of one variant.
const mostAnswers = 1_000_000_000

// countReport adds a report to what was given. Switches and variants that there are none of are left out.
func countReport(h *switches.Holder, r unleashReport) {
	s := h.Snapshot()
	for key, t := range r.Bucket.Toggles {
		h.Count(key, s.Off(key), min(t.No, mostAnswers))
		if s.Boolean(key) {
			h.Count(key, string(switches.On), min(t.Yes, mostAnswers))
			continue
		}
		for name, n := range t.Variants {
			if name != "disabled" {
				h.Count(key, name, min(n, mostAnswers))
			}
		}
	}
}

// postFrontendMetrics is the same of a page: POST /api/frontend/client/metrics.
func (d *doors) postFrontendMetrics(v visit) error {
	r, err := readReport(v)
	if err != nil {
		return err
	}
	countReport(v.holder, r)
	return d.bare(v.Ctx, fiber.StatusOK)
}

func (d *doors) postFrontendRegister(v visit) error {
	if _, err := readReport(v); err != nil {
		return err
	}
	return d.bare(v.Ctx, fiber.StatusOK)
}
