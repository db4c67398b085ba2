package web

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/accounts"
	"kibitz/app/errs"
	"kibitz/app/model"
)

// cookieName is the session's cookie. Browsers take __Host- only with Secure, Path=/ and no Domain, so that no
// other host of the site can plant one; over plain http that name would be refused.
func (s *Server) cookieName() string {
	if s.https {
		return "__Host-kibitz"
	}
	return "kibitz_session"
}

func (s *Server) setSession(c *fiber.Ctx, token string) {
	s.setCookie(c, s.cookieName(), token, accounts.SessionLife)
}

// setCookie sets a cookie that no script can read, or deletes it when life is 0.
func (s *Server) setCookie(c *fiber.Ctx, name, value string, life time.Duration) {
	cookie := &fiber.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second), HTTPOnly: true, Secure: s.https,
		SameSite: fiber.CookieSameSiteLaxMode}
	if life <= 0 {
		cookie.Value, cookie.MaxAge, cookie.Expires = "", -1, time.Unix(1, 0)
	}
	c.Cookie(cookie)
}

// session is who asks: the browser's session, or for a token a session that holds just the account.
func (s *Server) session(c *fiber.Ctx) model.Session {
	session, _ := c.Locals(localSession).(model.Session)
	return session
}

// scopes are what who asks may do in the API.
func (s *Server) scopes(c *fiber.Ctx) []string {
	scopes, _ := c.Locals(localScopes).([]string)
	return scopes
}

// bearer is the token of an Authorization header, or "".
func bearer(c *fiber.Ctx) string {
	scheme, token, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// loadSession puts the session of the cookie into the request; errs.Unauthorized when it has none.
func (s *Server) loadSession(c *fiber.Ctx) error {
	session, err := s.accounts.Session(c.UserContext(), c.Cookies(s.cookieName()))
	if err != nil {
		return err
	}
	c.Locals(localSession, session)
	c.Locals(localScopes, accounts.ScopesOf(session.Account.Role))
	return nil
}

// needAPI lets requests with a Bearer token or a session pass. A session must bring its form token for unsafe
// methods, here as on pages.
func (s *Server) needAPI(c *fiber.Ctx) error {
	text := bearer(c)
	if text == "" {
		if err := s.loadSession(c); err != nil {
			return s.challenge(c, err)
		}
		return s.checkFormToken(c)
	}
	token, account, err := s.accounts.TokenByText(c.UserContext(), text)
	if err != nil {
		return s.challenge(c, err)
	}
	c.Locals(localSession, model.Session{Account: account})
	c.Locals(localScopes, token.Scopes)
	c.Locals(localToken, token.ID)
	return c.Next()
}

func (s *Server) challenge(c *fiber.Ctx, err error) error {
	if errs.Of(err) == errs.Unauthorized {
		c.Locals(localRoute, "(no session)")
		c.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="kibitz"`)
	}
	return err
}

// scope lets those pass who have any of the scopes.
func (s *Server) scope(names ...string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		for _, name := range names {
			if slices.Contains(s.scopes(c), name) {
				return c.Next()
			}
		}
		return errs.New(errs.Forbidden, "This needs the scope %s. A token with it is made under Settings, Tokens.", strings.Join(names, " or "))
	}
}

// needSession lets only signed-in browsers pass; others are sent to sign in and come back after. It stands before
// the answer "nothing here" too, so that nobody can feel for addresses without signing in.
func (s *Server) needSession(c *fiber.Ctx) error {
	if c.Locals(localSession) != nil {
		return c.Next() // let in by needAPI, to an address that the API has not
	}
	err := s.loadSession(c)
	if err == nil {
		return c.Next()
	}
	if errs.Of(err) != errs.Unauthorized || wantsJSON(c) {
		return s.challenge(c, err)
	}
	c.Locals(localRoute, "(no session)")
	if c.Cookies(s.cookieName()) != "" {
		s.setCookie(c, s.cookieName(), "", 0)
	}
	to := "/signin"
	// What a form sent is lost; its page is not known here, so it begins at home.
	if next := localPath(c.OriginalURL(), "/"); safeMethod(c) && next != "/" {
		to += "?" + url.Values{"next": {next}}.Encode()
	}
	return c.Redirect(to, fiber.StatusSeeOther)
}
