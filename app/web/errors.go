package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/accounts"
	"kibitz/app/errs"
	"kibitz/views"
)

// answer is what a visitor gets to see of an error.
type answer struct {
	status     int
	title      string
	message    string
	retryAfter time.Duration
}

// titles are the headings of the error page.
var titles = map[int]string{
	400: "That could not be understood", 401: "Sign in first", 403: "Not allowed", 404: "Nothing here", 405: "Not that way",
	408: "Too slow", 409: "Somebody was faster", 413: "Too large", 415: "Unknown encoding", 422: "Look again",
	429: "Too many at once", 431: "Headers too large", 500: "Something failed here", 503: "Away for a moment",
}

// refusals are what fasthttp refuses before any of us sees it, besides the kinds of errs.
var refusals = map[int]string{
	fiber.StatusRequestTimeout:              "The request took too long to arrive.",
	fiber.StatusRequestHeaderFieldsTooLarge: "The headers of the request are larger than 16 KiB (limit header_buffer). Delete this site's cookies and try again.",
}

// answerOf turns an error into what is shown. Only text that was written for visitors is.
func answerOf(err error) answer {
	var fe *fiber.Error
	a := answer{status: errs.Status(err), message: errs.Message(err)}
	switch {
	case errs.Of(err) != errs.Internal:
	case errors.As(err, &fe):
		// fiber's text holds the path, or an internal error: its status is all that we take.
		a = answer{status: fe.Code, message: refusals[fe.Code]}
		if a.message == "" {
			a.message = errs.Message(errs.New(errs.OfStatus(fe.Code), ""))
		}
	case errors.Is(err, context.DeadlineExceeded):
		a = answer{status: http.StatusServiceUnavailable, message: "This took too long. Try again in a moment."}
	}
	if a.title = titles[a.status]; a.title == "" {
		a.title = http.StatusText(a.status)
	}
	a.retryAfter = retryAfter(err, a.status)
	return a
}

func retryAfter(err error, status int) time.Duration {
	var tries *accounts.TooManyTries
	switch {
	case errors.As(err, &tries):
		return tries.Wait
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return 5 * time.Second
	}
	return 0
}

func setRetryAfter(c *fiber.Ctx, wait time.Duration) {
	if wait > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
}

// answerError is the one place where an error becomes an answer: a page for people, JSON for programs.
func (s *Server) answerError(c *fiber.Ctx, err error) error {
	a := answerOf(err)
	if a.status == fiber.StatusRequestEntityTooLarge && isDoor(c.Path()) {
		// Clients of switches know few statuses, and this is none of them.
		return c.Status(fiber.StatusBadRequest).JSON(fiber.Map{"errorCode": "INVALID_CONTEXT", "errorDetails": "The body is larger than anything that is read here."})
	}
	s.note(c, err, a)
	c.Response().ResetBody()
	c.Response().Header.Del(fiber.HeaderContentEncoding)
	s.setSecurityHeaders(c)
	setRetryAfter(c, a.retryAfter)
	id := requestIDOf(c)
	if wantsJSON(c) {
		// "detail" is where Sentry's clients look.
		return c.Status(a.status).JSON(fiber.Map{"detail": a.message, "request_id": id})
	}
	c.SetUserContext(context.WithoutCancel(c.UserContext())) // its time may be over, and this page waits for nobody
	page := views.ErrorPage(views.ErrorProps{Status: a.status, Title: a.title, Message: a.message, RequestID: id, Theme: themeOf(c),
		SignedIn: c.Locals(localSession) != nil})
	if err := s.render(c, a.status, page); err != nil {
		s.log.Error("cannot render the error page", "id", id, "err", err)
		c.Response().ResetBody()
		return c.Status(a.status).SendString(a.title + "\n")
	}
	return nil
}

// note logs what is our fault, and reports what nobody expected.
func (s *Server) note(c *fiber.Ctx, err error, a answer) {
	if a.status < 500 {
		return
	}
	s.log.Error("cannot answer", "id", requestIDOf(c), "method", c.Method(), "route", routeOf(c), "status", a.status, "err", err)
	if a.status == http.StatusInternalServerError && s.report != nil {
		s.report(context.WithoutCancel(c.UserContext()), fmt.Errorf("%s %s: %w", c.Method(), routeOf(c), err))
	}
}

// wantsJSON tells programs from people: the API always answers JSON; elsewhere those do not want a page who say
// what they want and do not name HTML, and scripts of a page.
func wantsJSON(c *fiber.Ctx) bool {
	if strings.HasPrefix(c.Path(), "/api/") {
		return true
	}
	accept := c.Get(fiber.HeaderAccept)
	if strings.Contains(accept, "text/html") {
		return false
	}
	return strings.Contains(accept, "json") || strings.Contains(accept, "text/event-stream") || c.Get("Sec-Fetch-Dest") == "empty"
}

// notFound answers what no route has: 404, or 405 with Allow when another method has it, which fiber knows.
func (s *Server) notFound(c *fiber.Ctx) error {
	c.Locals(localRoute, "(none)")
	return c.Next()
}
