package web

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/gofiber/fiber/v2"
)

// local names what a middleware leaves in a request for those after it.
type local string

const (
	localID      local = "id"      // string
	localQueries local = "queries" // func() (int, time.Duration)
	localRoute   local = "route"   // string: what the log calls the path, where the route's pattern would mislead
	localSession local = "session" // model.Session
	localScopes  local = "scopes"  // []string
	localToken   local = "token"   // int64: the id of the Bearer token
	localForm    local = "form"    // url.Values
)

// requestID gives each request an id of its own, which pages, the log and X-Request-Id show. One sent along is not
// taken over: it could be anything.
func (s *Server) requestID(c *fiber.Ctx) error {
	requestIDOf(c)
	return c.Next()
}

// requestIDOf is the id of a request, made when there is none: requests that fasthttp refuses pass no middleware.
func requestIDOf(c *fiber.Ctx) string {
	if id, ok := c.Locals(localID).(string); ok {
		return id
	}
	id := fmt.Sprintf("%016x", rand.Uint64())
	c.Locals(localID, id)
	c.Set(fiber.HeaderXRequestID, id)
	return id
}

// panicked is a panic as an error. Sentry's client takes the place of the panic from StackTrace.
type panicked struct {
	value any
	stack []uintptr
}

// Error implements error.
func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// StackTrace is where it happened, innermost call first.
func (p *panicked) StackTrace() []uintptr { return p.stack }

// Unwrap is the value, when it is an error: runtime.Error above all.
func (p *panicked) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// next runs the rest of the chain with panics as errors. fasthttp recovers nothing: without this a panic in one
// page would end the process.
func next(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			stack := make([]uintptr, 64)
			err = &panicked{r, stack[:runtime.Callers(3, stack)]} // from the panicking call on
		}
	}()
	return c.Next()
}

// recoverPanic answers a panic like any other error of ours.
func (s *Server) recoverPanic(c *fiber.Ctx) error { return next(c) }

// requestTime bounds what a page or an API call may take, its queries included. Event streams go on after their
// handler returned and have a life of their own.
const requestTime = 15 * time.Second

// countQueries gives the request's context a counter of its queries, and an end.
func (s *Server) countQueries(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), requestTime)
	defer cancel()
	if s.queries != nil {
		var read func() (int, time.Duration)
		ctx, read = s.queries(ctx)
		c.Locals(localQueries, read)
	}
	c.SetUserContext(ctx)
	return c.Next()
}

// logRequest writes a line for each request: its route rather than its path, and no query, since both may hold
// what nobody else should read (a setup link's token does).
func (s *Server) logRequest(c *fiber.Ctx) error {
	start := time.Now()
	if err := next(c); err != nil {
		// Answered here rather than by fiber, so that the line has the status.
		if err := s.answerError(c, err); err != nil {
			return err
		}
	}
	status, level := c.Response().StatusCode(), slog.LevelInfo
	if status >= 500 {
		level = slog.LevelWarn // the error itself has a line of its own
	}
	attrs := []slog.Attr{slog.String("method", c.Method()), slog.String("route", routeOf(c)), slog.Int("status", status),
		slog.Float64("ms", milliseconds(time.Since(start))), slog.String("id", requestIDOf(c)), slog.String("ip", s.clientIP(c))}
	if read, ok := c.Locals(localQueries).(func() (int, time.Duration)); ok {
		n, spent := read()
		attrs = append(attrs, slog.Int("queries", n), slog.Float64("db_ms", milliseconds(spent)))
	}
	if account := s.session(c).Account.ID; account != 0 {
		attrs = append(attrs, slog.Int64("account", account))
	}
	if token, ok := c.Locals(localToken).(int64); ok {
		attrs = append(attrs, slog.Int64("token", token))
	}
	s.log.LogAttrs(context.WithoutCancel(c.UserContext()), level, "request", attrs...)
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// routeOf is the pattern of the route that answered.
func routeOf(c *fiber.Ctx) string {
	if name, ok := c.Locals(localRoute).(string); ok {
		return name
	}
	return c.Route().Path
}
