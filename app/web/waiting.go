package web

import (
	"context"
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"
)

// WaitingOptions are what a server is made of that waits for its database.
type WaitingOptions struct {
	Doors          *SwitchDoors
	TrustedProxies []string
	Log            *slog.Logger
}

// waitingRetry is after how many seconds others are told to come again.
const waitingRetry = "5"

// NewWaiting wires a server that answers what needs no database: switches, and that the process lives. Everything else is told to
// come again.
func NewWaiting(o WaitingOptions) (*Server, error) {
	trusted, err := parseProxies(o.TrustedProxies)
	if err != nil {
		return nil, err
	}
	s := &Server{log: o.Log, started: time.Now(), proxies: trusted}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.app = s.newApp(nil)
	s.app.Use(s.requestID, s.recoverPanic)
	s.switchDoors(o.Doors, nil)
	s.app.Get("/-/live", s.getLive)
	s.app.Use(func(c *fiber.Ctx) error {
		s.setSecurityHeaders(c)
		c.Set(fiber.HeaderRetryAfter, waitingRetry)
		return c.Status(fiber.StatusServiceUnavailable).SendString("Kibitz waits for its database. Switches are answered meanwhile.\n")
	})
	return s, nil
}
