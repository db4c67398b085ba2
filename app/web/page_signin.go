package web

import (
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/views"
)

// getSignIn is the form: GET /signin?next=/where/to. Who is signed in goes on at once.
func (s *Server) getSignIn(c *fiber.Ctx) error {
	next := localPath(c.Query("next"), "/")
	if err := s.loadSession(c); err == nil {
		return c.Redirect(next, fiber.StatusSeeOther)
	} else if errs.Of(err) != errs.Unauthorized {
		return err
	}
	return s.signInPage(c, fiber.StatusOK, views.SignInProps{Next: next})
}

func (s *Server) signInPage(c *fiber.Ctx, status int, props views.SignInProps) error {
	owned, err := s.accounts.HasOwner(c.UserContext())
	if err != nil {
		return err
	}
	props.Theme, props.SetupHint = themeOf(c), !owned
	return s.render(c, status, views.SignInPage(props))
}

// postSignIn opens a session: POST /signin. See checkOrigin for why its form has no token.
func (s *Server) postSignIn(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	next := localPath(form.Get("next"), "/")
	token, _, err := s.accounts.SignIn(c.UserContext(), form.Get("email"), form.Get("password"), c.Get(fiber.HeaderUserAgent), s.clientIP(c))
	if kind := errs.Of(err); kind == errs.Unprocessable || kind == errs.Limited {
		a := answerOf(err)
		setRetryAfter(c, a.retryAfter)
		return s.signInPage(c, a.status, views.SignInProps{Email: form.Get("email"), Next: next, Error: a.message})
	}
	if err != nil {
		return err
	}
	s.replaceSession(c, token)
	return c.Redirect(next, fiber.StatusSeeOther)
}

// replaceSession gives the browser a new session and ends the one that it had.
func (s *Server) replaceSession(c *fiber.Ctx, token string) {
	if err := s.accounts.SignOut(c.UserContext(), c.Cookies(s.cookieName())); err != nil {
		s.log.Warn("cannot end the session before", "id", requestIDOf(c), "err", err)
	}
	s.setSession(c, token)
}

// postSignOut ends the session: POST /signout.
func (s *Server) postSignOut(c *fiber.Ctx) error {
	if err := s.accounts.SignOut(c.UserContext(), c.Cookies(s.cookieName())); err != nil {
		return err
	}
	s.setCookie(c, s.cookieName(), "", 0)
	return c.Redirect("/signin", fiber.StatusSeeOther)
}

const themeLife = 365 * 24 * time.Hour

// postTheme keeps the colours that this browser wants: POST /theme. It needs no session and changes nothing of
// anybody else, so checkOrigin is enough.
func (s *Server) postTheme(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	switch theme := form.Get("theme"); theme {
	case "light", "dark":
		s.setCookie(c, themeCookie, theme, themeLife)
	case "", "auto", "system":
		s.setCookie(c, themeCookie, "", 0)
	default:
		return errs.New(errs.Invalid, "The theme is light, dark or auto.")
	}
	return c.Redirect(localPath(form.Get("return"), refererPath(c)), fiber.StatusSeeOther)
}

// refererPath is the page of ours that a form was on; checkOrigin has seen that it is ours, or there is none.
func refererPath(c *fiber.Ctx) string {
	u, err := url.Parse(c.Get(fiber.HeaderReferer))
	if err != nil {
		return "/"
	}
	return localPath(u.RequestURI(), "/")
}

// startSession signs in an account that has just proved who it is in another way.
func (s *Server) startSession(c *fiber.Ctx, account model.Account) error {
	token, _, err := s.accounts.StartSession(c.UserContext(), account, c.Get(fiber.HeaderUserAgent), s.clientIP(c))
	if err != nil {
		return err
	}
	s.replaceSession(c, token)
	return nil
}
