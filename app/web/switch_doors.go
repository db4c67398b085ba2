package web

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/accounts"
	"kibitz/app/errs"
	"kibitz/app/perf"
	"kibitz/app/switches"
)

// SwitchDoors are what programs elsewhere ask switches by: OFREP and Unleash's client API. They stand before all that pages need,
// since they are asked some ten thousand times a second: no session, no query, no line of the log.
type SwitchDoors struct {
	// Environments are those there are, the one first that is meant where none is named.
	Environments func() []string
	// Holder answers for an environment; Config is what it answers from; Watch wakes when its answers change.
	Holder func(environment string) *switches.Holder
	Config func(environment string) switches.Config
	Watch  func(environment string) (<-chan int64, func())
	// Gate says what a token may do, and StreamKey signs addresses of streams.
	Gate      *accounts.Gate
	StreamKey []byte
	// Origins are the sites whose pages may ask; "*" is any. PublicTag, when it is not empty, is the tag of the switches that
	// tokens get to see that may only evaluate.
	Origins   []string
	PublicTag string
	// Streams is how many pages may listen to changes at once.
	Streams int
}

// Scopes of tokens at the doors of switches.
const (
	scopeRead     = "switch:read"
	scopeEvaluate = "switch:evaluate"
)

// Limits of the doors.
const (
	// recordOneIn is how many questions one stands for that the recorder gets: with all of them, recording would take longer than
	// answering.
	recordOneIn = 64
	// doorBody is how large a body may be that is read at all; what is larger than its door takes is refused with a reason.
	doorBody = 2 << 20
	// maxReport is how large a report of an Unleash client may be.
	maxReport = 1 << 20
)

// doors are the doors at work.
type doors struct {
	*SwitchDoors
	server   *Server
	recorder *perf.Recorder
	asked    atomic.Int64
	open     atomic.Int64 // streams
	changes  changeTimes
	views    unleashViews
	buffers  sync.Pool // *[]byte
}

// visit is a question at a door, let in.
type visit struct {
	*fiber.Ctx
	grant  accounts.Grant
	holder *switches.Holder
}

// rules tells whether a visitor may see conditions, and not only answers.
func (v visit) rules() bool { return v.grant.Has(scopeRead) }

// switchDoors mounts the doors; nil for none.
func (s *Server) switchDoors(o *SwitchDoors, rec *perf.Recorder) {
	if o == nil {
		return
	}
	d := &doors{SwitchDoors: o, server: s, recorder: rec}
	d.buffers.New = func() any { b := make([]byte, 0, 8<<10); return &b }
	for _, at := range []string{"", "/e/:env"} {
		s.app.Options(at+"/ofrep/*", d.bareDoor(d.preflight))
		s.app.Post(at+"/ofrep/v1/evaluate/flags", d.door(at+"/ofrep/v1/evaluate/flags", d.postBulk, scopeRead, scopeEvaluate))
		s.app.Post(at+"/ofrep/v1/evaluate/flags/*", d.door(at+"/ofrep/v1/evaluate/flags/:key", d.postFlag, scopeRead, scopeEvaluate))
		s.app.Get(at+"/ofrep/v1/stream/:token", d.bareDoor(d.getStream))
		s.app.All(at+"/ofrep/*", d.bareDoor(d.nothing))

		s.app.Options(at+"/api/frontend/*", d.bareDoor(d.preflight))
		s.app.Options(at+"/api/frontend", d.bareDoor(d.preflight))
		s.app.Get(at+"/api/frontend", d.door(at+"/api/frontend", d.getFrontend, scopeRead, scopeEvaluate))
		s.app.Post(at+"/api/frontend", d.door(at+"/api/frontend", d.postFrontend, scopeRead, scopeEvaluate))
		s.app.Post(at+"/api/frontend/client/metrics", d.door(at+"/api/frontend/client/metrics", d.postFrontendMetrics, scopeRead, scopeEvaluate))
		s.app.Post(at+"/api/frontend/client/register", d.door(at+"/api/frontend/client/register", d.postFrontendRegister, scopeRead, scopeEvaluate))
		s.app.Get(at+"/api/client/features", d.door(at+"/api/client/features", d.getFeatures, scopeRead))
		s.app.Get(at+"/api/client/features/*", d.door(at+"/api/client/features/:name", d.getFeature, scopeRead))
		s.app.Post(at+"/api/client/metrics", d.door(at+"/api/client/metrics", d.postMetrics, scopeRead))
		s.app.Post(at+"/api/client/register", d.door(at+"/api/client/register", d.postRegister, scopeRead))
		s.app.All(at+"/api/client/*", d.bareDoor(d.nothing)) // delta, streaming: clients go on asking for features
		s.app.Get(at+"/switches.js", d.bareDoor(d.getClient))
		s.app.Head(at+"/switches.js", d.bareDoor(d.getClient))
	}
}

// isDoor tells whether a path is one of the doors', where a body may be as large as doorBody.
func isDoor(path string) bool {
	if rest, ok := strings.CutPrefix(path, "/e/"); ok {
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	return strings.HasPrefix(path, "/ofrep/") || strings.HasPrefix(path, "/api/frontend") || strings.HasPrefix(path, "/api/client/")
}

// door lets those in who have any of the scopes, records one question in some, and answers errors.
func (d *doors) door(route string, answer func(visit) error, scopes ...string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		var q *perf.Request
		if d.asked.Add(1)%recordOneIn == 0 {
			_, q = d.recorder.Start(context.Background(), perf.Info{Name: route, Source: "route", Method: c.Method(), Weight: recordOneIn})
		}
		err := guardPanic(func() error { return d.admit(c, answer, scopes) })
		if err != nil {
			err = d.refuse(c, route, err)
		}
		q.SetStatus(c.Response().StatusCode())
		q.Finish()
		return err
	}
}

// bareDoor answers without a token, and answers a panic, which would end the process.
func (d *doors) bareDoor(answer fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if err := guardPanic(func() error { return answer(c) }); err != nil {
			return d.refuse(c, "(door of switches)", err)
		}
		return nil
	}
}

// guardPanic gives a panic as an error.
func guardPanic(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			stack := make([]uintptr, 64)
			err = &panicked{r, stack[:runtime.Callers(3, stack)]}
		}
	}()
	return f()
}

// admit checks token and environment.
func (d *doors) admit(c *fiber.Ctx, answer func(visit) error, scopes []string) error {
	d.allow(c)
	c.Set(fiber.HeaderCacheControl, "private, no-cache")
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	text := accounts.TokenOf(c.Get(fiber.HeaderAuthorization), c.Get("X-API-Key"))
	grant, err := d.Gate.Grant(c.Context(), text)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(scopes, grant.Has) {
		return errs.New(errs.Forbidden, "This needs the scope %s.", strings.Join(scopes, " or "))
	}
	env, ok := d.environment(c.Params("env"))
	if !ok {
		return errs.New(errs.NotFound, "There is no such environment.")
	}
	return answer(visit{c, grant, d.Holder(env)})
}

// environment is the one that an address names, or the first.
func (d *doors) environment(name string) (string, bool) {
	all := d.Environments()
	if name == "" && len(all) > 0 {
		return all[0], true
	}
	return name, slices.Contains(all, name)
}

// filter is which switches a visitor gets to see; nil for all.
func (v visit) filter(d *doors, s *switches.Snapshot) func(key string) bool {
	if d.PublicTag == "" || v.rules() {
		return nil
	}
	return func(key string) bool { return s.Tagged(key, d.PublicTag) }
}

// refuse answers an error, within the statuses that clients know. What is our own fault is noted and reported.
func (d *doors) refuse(c *fiber.Ctx, route string, err error) error {
	c.Response().ResetBody()
	kind := errs.Of(err)
	switch kind {
	case errs.Unauthorized:
		c.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="kibitz"`)
		return d.bare(c, fiber.StatusUnauthorized)
	case errs.Forbidden:
		return d.bare(c, fiber.StatusForbidden)
	case errs.NotFound:
		return d.failed(c, fiber.StatusNotFound, errs.Message(err))
	case errs.Limited:
		c.Set(fiber.HeaderRetryAfter, "5")
		return d.failed(c, fiber.StatusTooManyRequests, errs.Message(err))
	case errs.Invalid, errs.TooLarge, errs.Unsupported, errs.Unprocessable:
		return d.failed(c, fiber.StatusBadRequest, errs.Message(err))
	}
	c.Locals(localRoute, route)
	d.server.log.Error("cannot answer", "id", requestIDOf(c), "method", c.Method(), "route", route, "err", err)
	if d.server.report != nil && !errors.Is(err, context.Canceled) {
		d.server.report(context.Background(), fmt.Errorf("%s %s: %w", c.Method(), route, err))
	}
	return d.failed(c, fiber.StatusInternalServerError, errs.Message(errs.New(errs.Internal, "")))
}

// bare is a status without a body, as OFREP has refusals.
func (d *doors) bare(c *fiber.Ctx, status int) error {
	c.Status(status)
	return nil
}

// failed is a status with the reason where each kind of client looks for it.
func (d *doors) failed(c *fiber.Ctx, status int, message string) error {
	code := "GENERAL"
	if status == fiber.StatusBadRequest {
		code = "INVALID_CONTEXT"
	}
	return c.Status(status).JSON(fiber.Map{"errorCode": code, "errorDetails": message, "message": message})
}

// nothing is what the doors do not have: earlier drafts' configuration, deltas and streams of Unleash.
func (d *doors) nothing(c *fiber.Ctx) error {
	d.allow(c)
	return d.failed(c, fiber.StatusNotFound, "There is nothing here.")
}

// allow lets pages of allowed sites read the answer. No cookie counts at a door, so that a page gets no more than its token says.
func (d *doors) allow(c *fiber.Ctx) {
	origin := c.Get(fiber.HeaderOrigin)
	if origin == "" {
		return
	}
	switch {
	case slices.Contains(d.Origins, "*"):
		origin = "*"
	case slices.Contains(d.Origins, origin):
		c.Vary(fiber.HeaderOrigin)
	default:
		return
	}
	c.Set(fiber.HeaderAccessControlAllowOrigin, origin)
	c.Set(fiber.HeaderAccessControlExposeHeaders, "ETag, Retry-After")
	c.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// preflight answers a browser's question before the question.
func (d *doors) preflight(c *fiber.Ctx) error {
	d.allow(c)
	if c.GetRespHeader(fiber.HeaderAccessControlAllowOrigin) == "" {
		return d.bare(c, fiber.StatusForbidden)
	}
	c.Set(fiber.HeaderAccessControlAllowMethods, "GET, POST, OPTIONS")
	// SDKs add headers of their own (unleash-*, traceparent); none of them lets anybody in.
	if wanted := c.Get(fiber.HeaderAccessControlRequestHeaders); len(wanted) <= 1024 && headerNames(wanted) {
		c.Set(fiber.HeaderAccessControlAllowHeaders, wanted)
	}
	c.Set(fiber.HeaderAccessControlMaxAge, "86400")
	return d.bare(c, fiber.StatusNoContent)
}

// headerNames tells whether a text is names of headers with commas between.
func headerNames(text string) bool {
	for _, r := range text {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_, ", r) {
			return false
		}
	}
	return text != ""
}

// body is a question's body as it came; a compressed one is refused, since nobody needs to compress some hundred bytes.
func (v visit) body() ([]byte, error) {
	if enc := v.Get(fiber.HeaderContentEncoding); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, errs.New(errs.Unsupported, "Send this without Content-Encoding.")
	}
	return v.BodyRaw(), nil
}

// key is the switch that the address names; keys may hold slashes and colons.
func (v visit) key() string {
	raw := v.Params("*")
	if key, err := url.PathUnescape(raw); err == nil {
		return key
	}
	return raw
}

// buffer is room for an answer, which give sends and takes back.
func (d *doors) buffer() *[]byte { return d.buffers.Get().(*[]byte) }

func (d *doors) give(c *fiber.Ctx, status int, buf *[]byte, b []byte) error {
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSONCharsetUTF8)
	c.Response().SetBody(b) // copies
	if *buf = b[:0]; cap(b) <= 256<<10 {
		d.buffers.Put(buf)
	}
	c.Status(status)
	return nil
}
