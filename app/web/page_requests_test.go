package web

import (
	"io"
	"net/http/httptest"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// TestTerms joins what the search form sends: the terms that are there as one q, and what is added as another.
func TestTerms(t *testing.T) {
	t.Parallel()
	app := fiber.New()
	app.Get("/requests", func(c *fiber.Ctx) error { return c.SendString(terms(c) + "|" + sameList(c, "/requests.csv", "")) })
	for query, want := range map[string]string{
		"":                          "|/requests.csv",
		"q=status%3A5xx":            "status:5xx|/requests.csv?q=status%3A5xx",
		"q=status%3A5xx&q=cart":     "status:5xx cart|/requests.csv?q=status%3A5xx+cart",
		"q=a&q=&sort=slowest":       "a|/requests.csv?q=a&sort=slowest",
		"q=%22a%26b%22&q=%2Bc%20d+": `"a&b" +c d|/requests.csv?q=%22a%26b%22+%2Bc+d`,
	} {
		res, err := app.Test(httptest.NewRequest("GET", "/requests?"+query, nil), -1)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || string(body) != want {
			t.Errorf("%q: got %s %v, want %s", query, body, err, want)
		}
	}
}
