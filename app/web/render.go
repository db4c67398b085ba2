package web

import (
	"context"
	"fmt"
	"mime"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/perf"
	"kibitz/views"
)

// render answers with a page.
func (s *Server) render(c *fiber.Ctx, status int, page templ.Component) error {
	c.Status(status).Type("html", "utf-8")
	err := perf.Render(c.UserContext(), routeOf(c), func(ctx context.Context) error { return page.Render(ctx, c.Response().BodyWriter()) })
	if err != nil {
		c.Response().ResetBody()
		return fmt.Errorf("cannot render a page: %w", err)
	}
	return nil
}

// chrome is what surrounds every page of a session: one query, for the projects.
func (s *Server) chrome(c *fiber.Ctx, title, section string) (views.Chrome, error) {
	projects, err := s.projects.All(c.UserContext())
	if err != nil {
		return views.Chrome{}, err
	}
	session, now := s.session(c), time.Now()
	return views.Chrome{Title: title, Section: section, Account: session.Account, CSRF: session.CSRF, Theme: themeOf(c), Projects: projects,
		Path: localPath(c.OriginalURL(), "/"), Version: s.version, Uptime: now.Sub(s.started), Now: now, Toast: s.takeToast(c)}, nil
}

const (
	// maxForm bounds the body of a form of the dashboard; the longest field is a comment of a few KiB.
	maxForm = 64 << 10
	// maxRulesForm bounds the one that holds a project's rules: 256 KiB of text, threefold in the encoding of forms.
	maxRulesForm = 1 << 20
)

// formLimit is how large a form may be that is sent to a path.
func formLimit(path string) int {
	if rest, ok := strings.CutPrefix(path, "/projects/"); ok {
		if _, what, _ := strings.Cut(rest, "/"); what == "grouping" || what == "grouping/check" {
			return maxRulesForm
		}
	}
	return maxForm
}

// form is the body of a form, read once a request. Only application/x-www-form-urlencoded is read; no body at all
// is an empty form.
func (s *Server) form(c *fiber.Ctx) (url.Values, error) {
	if form, ok := c.Locals(localForm).(url.Values); ok {
		return form, nil
	}
	raw := c.BodyRaw()
	if limit := formLimit(c.Path()); len(raw) > limit {
		return nil, errs.New(errs.TooLarge, "A form may have %d KiB (limit form), this one has %d bytes. Shorten what you wrote.", limit>>10, len(raw))
	}
	kind, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if len(raw) > 0 && (err != nil || kind != fiber.MIMEApplicationForm) {
		return nil, errs.New(errs.Unsupported, "A form is sent as %s.", fiber.MIMEApplicationForm)
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, errs.New(errs.Invalid, "The form is not valid %s.", fiber.MIMEApplicationForm)
	}
	for _, values := range form {
		for _, v := range values {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return nil, errs.New(errs.Invalid, "The form holds text that is not UTF-8.")
			}
		}
	}
	c.Locals(localForm, form)
	return form, nil
}

// maxPath bounds where a form may ask to be sent afterwards.
const maxPath = 2000

// localPath is next when that is an address of this site, else fallback: one slash, a path without dots that climb,
// perhaps a query. Browsers read a backslash as a slash and skip control characters, so neither may be in it.
func localPath(next, fallback string) string {
	if len(next) > maxPath || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) ||
		!utf8.ValidString(next) || strings.ContainsFunc(next, unicode.IsControl) {
		return fallback
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return fallback
	}
	// u.Path is unescaped: what another server on the way might make of it must be harmless too.
	if strings.Contains(u.Path, `\`) || strings.ContainsFunc(u.Path, unicode.IsControl) || path.Clean(u.Path) != trimSlash(u.Path) {
		return fallback
	}
	if next = u.String(); len(next) > maxPath { // escaping makes it longer
		return fallback
	}
	return next
}

func trimSlash(p string) string {
	if len(p) > 1 {
		return strings.TrimSuffix(p, "/")
	}
	return p
}

const themeCookie = "theme"

// themeOf is what this browser chose: light, dark, or "" to follow the system.
func themeOf(c *fiber.Ctx) string {
	switch theme := c.Cookies(themeCookie); theme {
	case "light", "dark":
		return theme
	}
	return ""
}
