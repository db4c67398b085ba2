package switchfiber_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/switches"
	"kibitz/app/switches/switchestest"
	"kibitz/app/switches/switchfiber"
)

func call(t *testing.T, app *fiber.App, path string, header ...string) (int, string, string) {
	t.Helper()
	req := httptest.NewRequest("GET", path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body), res.Header.Get("Set-Cookie")
}

func TestSubject(t *testing.T) {
	t.Parallel()
	h := switches.NewHolder("test")
	app := fiber.New()
	app.Use(switchfiber.New(h, switchfiber.Options{User: func(c *fiber.Ctx) string { return c.Get("X-User") }, CountryHeader: "CF-IPCountry", Cookie: "visitor", Give: true,
		Release: "2.1.0", More: func(c *fiber.Ctx, s *switches.Subject) { s.Set("plan", "pro") }}))
	var kept []*switches.Subject
	app.Get("/", func(c *fiber.Ctx) error {
		s := switches.SubjectIn(c.UserContext())
		kept = append(kept, s)
		return c.SendString(fmt.Sprintf("%s|%s|%s|%s|%s|%s|%v", s.ID, s.Anonymous, s.IP, s.Host, s.Country, s.Release, s.Attrs))
	})
	_, body, cookie := call(t, app, "/", "X-User", "u7", "Cookie", "visitor=abc", "CF-IPCountry", "DE")
	if body != "u7|abc|0.0.0.0|example.com|DE|2.1.0|[{plan pro 0 0}]" || cookie != "" {
		t.Errorf("%s, cookie %s", body, cookie)
	}
	_, body, cookie = call(t, app, "/")
	id := strings.Split(body, "|")[1]
	if len(id) < 20 || !strings.HasPrefix(cookie, "visitor="+id+"; ") || !strings.Contains(cookie, "HttpOnly") {
		t.Errorf("%s, cookie %s", body, cookie)
	}
	if kept[0].ID != "u7" || kept[0].Country != "DE" || kept[0].Anonymous != "abc" {
		t.Errorf("the subject shares memory with the request: %+v", kept[0])
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	h := switches.NewHolder("test")
	app := fiber.New()
	app.Use(switchfiber.New(h, switchfiber.Options{}))
	app.Get("/new", switchfiber.Require("new"), func(c *fiber.Ctx) error { return c.SendString("new") })
	app.Get("/else", switchfiber.RequireElse("new", func(c *fiber.Ctx) error { return c.SendString("old") }), func(c *fiber.Ctx) error { return c.SendString("new") })
	if status, _, _ := call(t, app, "/new"); status != 404 {
		t.Error(status)
	}
	if _, body, _ := call(t, app, "/else"); body != "old" {
		t.Error(body)
	}
	switchestest.Force(t, h, "new", "on")
	for _, path := range []string{"/new", "/else"} {
		if status, body, _ := call(t, app, path); status != 200 || body != "new" {
			t.Error(status, body)
		}
	}
}

// TestNobody holds that without a Holder all is off, and nothing breaks.
func TestNobody(t *testing.T) {
	t.Parallel()
	app := fiber.New()
	app.Use(switchfiber.New(nil, switchfiber.Options{}))
	app.Get("/", switchfiber.Require("x"), func(c *fiber.Ctx) error { return nil })
	if status, _, _ := call(t, app, "/"); status != 404 {
		t.Error(status)
	}
}
