package web

import (
	"github.com/gofiber/fiber/v2"

	"kibitz/app/prometheus"
)

// getMetrics is what this process counts, for Prometheus: GET /metrics, with a token of the scope metrics:read, a session, or
// to everybody when the setting metrics.open says so.
func (s *Server) getMetrics(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, prometheus.ContentType)
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Send(s.metrics(c.UserContext()))
}
