package web

import (
	"strconv"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/switches"
	"kibitz/app/switches/switchfiber"
)

// subject lets handlers and pages ask switches for whoever has signed in: by the number of the account, and its role.
func (s *Server) subject(h *switches.Holder) fiber.Handler {
	return switchfiber.New(h, switchfiber.Options{Release: s.version, IP: s.clientIP,
		User: func(c *fiber.Ctx) string { return strconv.FormatInt(s.session(c).Account.ID, 10) },
		More: func(c *fiber.Ctx, sub *switches.Subject) { sub.Role = string(s.session(c).Account.Role) }})
}

// needFeature refuses what one of Kibitz's own switches has turned off.
func (s *Server) needFeature(c *fiber.Ctx, key string) error {
	if s.feature == nil || s.feature(c.UserContext(), key) {
		return nil
	}
	return errs.New(errs.Unavailable, "This is switched off at the moment (switch %s).", key)
}
