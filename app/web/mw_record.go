package web

import (
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/perf"
	"kibitz/app/perf/perffiber"
)

// recordRequest records each request, those of SDKs too, with what it spends its time on. What a browser shows of that
// (Server-Timing), and a request's wish to be kept, is for those who have signed in.
//
// Recording cannot feed itself: what is recorded goes from memory into the spool, and from there into the database on
// contexts that belong to no request.
func (s *Server) recordRequest(rec *perf.Recorder) fiber.Handler {
	return perffiber.New(rec, perffiber.Options{Route: s.recordedRoute, URL: recordedURL, User: s.recordedUser, ServerTiming: s.signedIn,
		Keep: func(c *fiber.Ctx, value string) bool { return value == "1" && s.signedIn(c) }})
}

func (s *Server) signedIn(c *fiber.Ctx) bool { return s.session(c).Account.ID != 0 }

// recordedRoute is where the route's pattern would mislead; the pattern, when "".
func (s *Server) recordedRoute(c *fiber.Ctx) string {
	name, _ := c.Locals(localRoute).(string)
	return name
}

// recordedURL is the path alone: queries hold keys of projects and what people search for. Of the doors that SDKs use the
// route says all, and a path with a token in it says too much.
func recordedURL(c *fiber.Ctx) string {
	route := c.Route().Path
	if strings.HasPrefix(route, "/api/:project/") || strings.Contains(route, ":token") {
		return ""
	}
	return c.Path()
}

func (s *Server) recordedUser(c *fiber.Ctx) string {
	account := s.session(c).Account.ID
	if account == 0 {
		return ""
	}
	return "id:" + strconv.FormatInt(account, 10)
}
