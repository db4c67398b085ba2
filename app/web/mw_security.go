package web

import (
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/accounts"
	"kibitz/app/errs"
)

// contentPolicy lets a page load its own files and nothing else. Charts set their sizes by style attributes, which
// is what style-src-attr is for; style elements and inline scripts stay forbidden.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// securityHeaders go on every answer of the dashboard and the API; handlers may set Cache-Control anew.
func (s *Server) securityHeaders(c *fiber.Ctx) error {
	s.setSecurityHeaders(c)
	return c.Next()
}

func (s *Server) setSecurityHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentSecurityPolicy, contentPolicy)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set(fiber.HeaderPermissionsPolicy, "camera=(), microphone=(), geolocation=(), browsing-topics=()")
	c.Set(fiber.HeaderCacheControl, "no-store")
	if s.https {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// refuseEncodedBody keeps compressed bodies to the endpoints that inflate within limits, which stand before it.
func (s *Server) refuseEncodedBody(c *fiber.Ctx) error {
	if enc := c.Get(fiber.HeaderContentEncoding); enc != "" && !strings.EqualFold(enc, "identity") {
		return errs.New(errs.Unsupported, "Send this without Content-Encoding; only the addresses that SDKs send to take compressed bodies.")
	}
	return c.Next()
}

func safeMethod(c *fiber.Ctx) bool {
	switch c.Method() {
	case fiber.MethodGet, fiber.MethodHead, fiber.MethodOptions:
		return true
	}
	return false
}

// checkOrigin lets unsafe methods pass only when the browser says that one of our own pages sent them. It is the
// whole protection of the forms without a session, sign-in and setup: they have no session to bind a token to, and
// a browser cannot be made to lie in these headers. So it is strict, and refuses who says nothing at all.
// A request with a token and without our cookie needs no check: no page of another site can make one, since we
// answer no preflight.
func (s *Server) checkOrigin(c *fiber.Ctx) error {
	if safeMethod(c) || (bearer(c) != "" && c.Cookies(s.cookieName()) == "") || s.fromOurPage(c) {
		return c.Next()
	}
	return errs.New(errs.Forbidden, "This came from a page of another site, or did not say where it came from. "+
		"Send it from a page of Kibitz; a program sends \"Origin: %s\", or uses an API token.", s.base)
}

// fromOurPage asks Sec-Fetch-Site first, which only browsers set (and only where the connection is safe or local),
// then Origin, then Referer.
func (s *Server) fromOurPage(c *fiber.Ctx) bool {
	if site := c.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none" // none: typed, or from a bookmark
	}
	from := c.Get(fiber.HeaderOrigin)
	if from == "" {
		from = c.Get(fiber.HeaderReferer)
	}
	u, err := url.Parse(from)
	if err != nil || u.Host == "" || (s.https && u.Scheme != "https") {
		return false
	}
	// Host is what the browser was told to ask; the public address serves where a proxy changed Host.
	base, err := url.Parse(s.base)
	return strings.EqualFold(u.Host, string(c.Request().Host())) || (err == nil && strings.EqualFold(u.Host, base.Host))
}

// checkFormToken lets unsafe methods of a session pass only with the session's own token, in the field csrf of the
// form or in X-CSRF-Token.
func (s *Server) checkFormToken(c *fiber.Ctx) error {
	if safeMethod(c) || c.Locals(localToken) != nil {
		return c.Next()
	}
	token := c.Get("X-CSRF-Token")
	if token == "" {
		form, err := s.form(c)
		if err != nil {
			return err
		}
		token = form.Get("csrf")
	}
	if !accounts.SameToken(token, s.session(c).CSRF) {
		return errs.New(errs.Forbidden, "This form was made for another session. Go back, reload the page and send it again.")
	}
	return c.Next()
}
