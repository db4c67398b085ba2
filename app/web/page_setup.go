package web

import (
	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/views"
)

// getSetup is the form that makes the first owner: GET /setup/:token.
func (s *Server) getSetup(c *fiber.Ctx) error {
	token := c.Params("token")
	if err := s.accounts.ValidSetup(c.UserContext(), token); err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.SetupPage(views.SetupProps{Token: token, Theme: themeOf(c)}))
}

// postSetup makes the first owner and signs in: POST /setup/:token. The token in the address is what allows it;
// see checkOrigin for why its form has no other.
func (s *Server) postSetup(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	token := c.Params("token")
	account, err := s.accounts.Setup(c.UserContext(), token, form.Get("email"), form.Get("name"), form.Get("password"))
	if kind := errs.Of(err); kind == errs.Unprocessable || kind == errs.Conflict {
		a := answerOf(err)
		return s.render(c, a.status, views.SetupPage(views.SetupProps{Token: token, Email: form.Get("email"), Name: form.Get("name"),
			Error: a.message, Theme: themeOf(c)}))
	}
	if err != nil {
		return err
	}
	if err := s.startSession(c, account); err != nil {
		return err
	}
	return c.Redirect("/", fiber.StatusSeeOther)
}
