package web

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/static"
)

// getLive tells that the process answers at all: GET /-/live.
func (s *Server) getLive(c *fiber.Ctx) error { return c.SendString("live\n") }

// getReady is 200 when the server takes traffic: GET /-/ready.
func (s *Server) getReady(c *fiber.Ctx) error {
	if s.draining.Load() {
		return c.Status(fiber.StatusServiceUnavailable).SendString("stopping\n")
	}
	if err := s.ready(c.UserContext()); err != nil {
		s.log.Warn("not ready", "err", err)
		return c.Status(fiber.StatusServiceUnavailable).SendString("not ready\n")
	}
	return c.SendString("ready\n")
}

// getStatic serves an embedded file under its hashed name, for ever: GET /static/:name.
func (s *Server) getStatic(c *fiber.Ctx) error {
	body, gz, kind, ok := static.Open(c.Params("name"))
	if !ok {
		return errs.New(errs.NotFound, "There is no such file.")
	}
	c.Set(fiber.HeaderContentType, kind)
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	c.Vary(fiber.HeaderAcceptEncoding)
	if gz != nil && strings.Contains(c.Get(fiber.HeaderAcceptEncoding), "gzip") {
		c.Set(fiber.HeaderContentEncoding, "gzip")
		return c.Send(gz)
	}
	return c.Send(body)
}

func (s *Server) getFavicon(c *fiber.Ctx) error {
	return c.Redirect(static.Path("favicon.svg"), fiber.StatusMovedPermanently)
}

func (s *Server) getRobots(c *fiber.Ctx) error { return c.SendString("User-agent: *\nDisallow: /\n") }
