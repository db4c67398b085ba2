package web

import (
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/accounts"
	"kibitz/app/errs"
	"kibitz/views"
)

// getTokens lists the tokens of this account: GET /settings/tokens.
func (s *Server) getTokens(c *fiber.Ctx) error {
	return s.tokensPage(c, fiber.StatusOK, []string{"project:read", "event:read"}, views.TokensProps{})
}

// tokensPage fills in the list and the scopes that this account may give away.
func (s *Server) tokensPage(c *fiber.Ctx, status int, checked []string, props views.TokensProps) error {
	chrome, err := s.chrome(c, "Tokens", "settings")
	if err != nil {
		return err
	}
	if props.Tokens, err = s.accounts.Tokens(c.UserContext(), chrome.Account.ID); err != nil {
		return err
	}
	for _, scope := range accounts.Scopes {
		if slices.Contains(s.scopes(c), scope.Name) {
			props.Scopes = append(props.Scopes, views.ScopeChoice{Name: scope.Name, Help: scope.Help, Checked: slices.Contains(checked, scope.Name)})
		}
	}
	return s.render(c, status, views.TokensPage(chrome, props))
}

// postTokens makes a token and shows its text, this once: POST /settings/tokens. It answers with the page itself
// rather than a redirect, since the text must not go through a cookie or the database.
func (s *Server) postTokens(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	text, err := "", error(nil)
	days, err := tokenDays(form.Get("expires"))
	if err == nil {
		text, err = s.accounts.AddToken(c.UserContext(), s.session(c).Account, form.Get("name"), form["scope"], days)
	}
	if kind := errs.Of(err); kind == errs.Unprocessable || kind == errs.Conflict {
		a := answerOf(err)
		return s.tokensPage(c, a.status, form["scope"], views.TokensProps{Error: a.message})
	}
	if err != nil {
		return err
	}
	return s.tokensPage(c, fiber.StatusOK, nil, views.TokensProps{NewToken: text})
}

// tokenDays reads how many days a token lives; none is for ever.
func tokenDays(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 0 || days > 3650 {
		return 0, errs.New(errs.Unprocessable, "A token lives for 1 to 3650 days; leave it empty for ever.")
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

// postRevokeToken ends a token: POST /settings/tokens/:id/revoke.
func (s *Server) postRevokeToken(c *fiber.Ctx) error {
	id, err := strconv.ParseInt(c.Params("id"), 10, 64)
	if err != nil {
		return errs.New(errs.NotFound, "There is no such token.")
	}
	if err := s.accounts.RevokeToken(c.UserContext(), s.session(c).Account.ID, id); err != nil {
		return err
	}
	s.setToast(c, toast{Text: "Token revoked. It opens nothing any more."})
	return c.Redirect("/settings/tokens", fiber.StatusSeeOther)
}
