// Package perffiber records the requests of a fiber v2 application: each by its route, with everything that is done
// with its user context.
//
//	app.Use(perffiber.New(rec, perffiber.Options{}))
//
// It stands before all whose time is to be counted. Handlers pass c.UserContext() on; c.Context() knows nothing of it.
package perffiber

import (
	"crypto/subtle"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/perf"
)

// HeaderKeep asks for a request's spans to be kept whatever happens: "1", or a secret.
const HeaderKeep = "X-Kibitz-Keep"

// Options say what an application knows better. All may be left out.
type Options struct {
	// Route names the endpoint after its handler has run, in place of the pattern of the route that answered; "" leaves
	// it at that. What it gives must not share memory with the request.
	Route func(*fiber.Ctx) string
	// URL is what is kept of the address, in place of path and query as they came. Leave out what is secret. What it
	// gives is copied.
	URL func(*fiber.Ctx) string
	// User tells who asked, after the handler has run. What it gives is copied.
	User func(*fiber.Ctx) string
	// Skip leaves requests out.
	Skip func(*fiber.Ctx) bool
	// Keep decides, after the handler has run, whether the value of the header X-Kibitz-Keep is obeyed; without it "1" is.
	// Secret makes one that wants a secret.
	Keep func(c *fiber.Ctx, value string) bool
	// ServerTiming tells who gets the header Server-Timing, with time and number by category: browsers show it. It tells
	// strangers how long a query takes, so nobody gets it by default.
	ServerTiming func(*fiber.Ctx) bool
}

// Secret obeys those who send secret as X-Kibitz-Keep.
func Secret(secret string) func(*fiber.Ctx, string) bool {
	return func(_ *fiber.Ctx, value string) bool {
		return secret != "" && subtle.ConstantTimeCompare([]byte(value), []byte(secret)) == 1
	}
}

// New makes the middleware. An error of a handler is answered here, by the application's own ErrorHandler, since only
// then the status is known, as fiber's own logger does it. A panic is recorded as 500 and goes on. The request ends when its
// handler returns: what an event stream sends afterwards belongs to no request. With a nil Recorder it does nothing.
func New(rec *perf.Recorder, o Options) fiber.Handler {
	if rec == nil {
		return func(c *fiber.Ctx) error { return c.Next() }
	}
	if o.Keep == nil {
		o.Keep = func(_ *fiber.Ctx, value string) bool { return value == "1" }
	}
	return func(c *fiber.Ctx) error {
		if o.Skip != nil && o.Skip(c) {
			return c.Next()
		}
		return o.record(rec, c)
	}
}

func (o *Options) record(rec *perf.Recorder, c *fiber.Ctx) error {
	before := c.UserContext()
	ctx, q := rec.Start(before, perf.Info{Method: methodOf(c), Remote: remoteOf(c)})
	c.SetUserContext(ctx)
	ended := false
	defer func() {
		if !ended { // a panic: nobody has answered yet
			o.describe(c, q, false)
			q.SetStatus(fiber.StatusInternalServerError)
			q.Finish()
		}
	}()
	unmatched := false
	if err := c.Next(); err != nil {
		unmatched = isUnmatched(err)
		if err := c.App().ErrorHandler(c, err); err != nil {
			c.Status(fiber.StatusInternalServerError)
		}
	}
	o.describe(c, q, unmatched)
	if o.ServerTiming != nil && o.ServerTiming(c) {
		c.Set("Server-Timing", q.ServerTiming())
	}
	ended = true
	q.Finish()
	c.SetUserContext(before)
	return nil
}

// describe tells what is only known when the handler has run.
func (o *Options) describe(c *fiber.Ctx, q *perf.Request, unmatched bool) {
	q.SetName(o.nameOf(c, unmatched))
	q.SetStatus(c.Response().StatusCode())
	q.SetSizes(int64(max(c.Request().Header.ContentLength(), 0)), answered(c))
	if url := o.urlOf(c); url != "" {
		q.SetURL(strings.Clone(url))
	}
	if o.User != nil {
		if user := o.User(c); user != "" {
			q.SetUser(strings.Clone(user))
		}
	}
	if value := c.Get(HeaderKeep); value != "" && o.Keep(c, value) {
		q.SetKeep()
	}
}

func (o *Options) nameOf(c *fiber.Ctx, unmatched bool) (name, source string) {
	if o.Route != nil {
		if name := o.Route(c); name != "" {
			return name, "route"
		}
	}
	if unmatched {
		return "(none)", "custom"
	}
	return c.Route().Path, "route" // a part of the routing table, not of the request
}

func (o *Options) urlOf(c *fiber.Ctx) string {
	if o.URL != nil {
		return o.URL(c)
	}
	return c.OriginalURL()
}

// isUnmatched knows the error that fiber makes when no route fits, the only one to say so.
func isUnmatched(err error) bool {
	var fe *fiber.Error
	return errors.As(err, &fe) && (fe.Code == fiber.StatusNotFound && strings.HasPrefix(fe.Message, "Cannot ") || fe == fiber.ErrMethodNotAllowed)
}

// answered is the size of the answer's body; -1 of a stream, which has not been written yet.
func answered(c *fiber.Ctx) int64 {
	if c.Response().IsBodyStream() {
		return -1
	}
	return int64(len(c.Response().Body()))
}

// methodOf is the method in memory of its own: fiber's may be a part of the connection's buffer.
func methodOf(c *fiber.Ctx) string {
	switch m := c.Method(); m {
	case fiber.MethodGet:
		return fiber.MethodGet
	case fiber.MethodPost:
		return fiber.MethodPost
	case fiber.MethodHead:
		return fiber.MethodHead
	default:
		return strings.Clone(m)
	}
}

// remoteOf is the caller's span. Most requests have none, and cost a look at three headers.
func remoteOf(c *fiber.Ctx) perf.Remote {
	return perf.ReadHeaders(func(name string) string { return c.Get(name) })
}
