// Command perf_gofiber is a fiber shop that answers four requests of its own and reports them to DSN: a loop of queries, a
// cached value, a call to itself and a failure.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/getsentry/sentry-go"
	sentryfiber "github.com/getsentry/sentry-go/fiber"
	"github.com/gofiber/fiber/v2"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	err := sentry.Init(sentry.ClientOptions{Dsn: os.Getenv("DSN"), Release: "shop@1", Environment: "test", ServerName: "web-3",
		EnableTracing: true, TracesSampleRate: 1})
	if err != nil {
		return fmt.Errorf("cannot start the SDK: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	base := "http://" + listener.Addr().String()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(sentryfiber.New(sentryfiber.Options{}))
	routes(app, base)
	go func() {
		if err := app.Listener(listener); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	for _, address := range []string{"/orders/88213?page=1", "/rates", "/quote", "/fail"} {
		if _, err := ask(context.Background(), base+address); err != nil {
			return err
		}
	}
	if !sentry.Flush(10 * time.Second) {
		return fmt.Errorf("cannot send everything in 10 s")
	}
	return nil
}

func routes(app *fiber.App, base string) {
	app.Get("/orders/:number", func(c *fiber.Ctx) error {
		sentryfiber.GetHubFromContext(c).Scope().SetUser(sentry.User{ID: "52107"})
		query(c.UserContext(), "SELECT id FROM line WHERE order_number = $1")
		for range 6 {
			query(c.UserContext(), "SELECT name FROM line WHERE id = $1")
		}
		sentry.NewLogger(c.UserContext()).Info().Int("lines", 6).Emit("order shown")
		return c.SendString("six lines")
	})
	app.Get("/rates", func(c *fiber.Ctx) error {
		span := sentry.StartSpan(c.UserContext(), "cache.get", sentry.WithDescription("rates"))
		defer span.Finish()
		span.SetData("cache.hit", true)
		return c.SendString("1.61")
	})
	app.Get("/quote", func(c *fiber.Ctx) error {
		address := base + "/rates"
		span := sentry.StartSpan(c.UserContext(), "http.client", sentry.WithDescription("GET "+address))
		defer span.Finish()
		span.SetData("http.request.method", "GET")
		body, err := ask(span.Context(), address)
		if err != nil {
			return err
		}
		span.SetData("http.response.status_code", 200)
		return c.Send(body)
	})
	app.Get("/fail", func(c *fiber.Ctx) error { return c.Status(500).SendString("the cart has no total") })
}

func query(ctx context.Context, sql string) {
	span := sentry.StartSpan(ctx, "db.sql.query", sentry.WithDescription(sql))
	defer span.Finish()
	span.SetData("db.system", "postgresql")
	time.Sleep(2 * time.Millisecond)
}

func ask(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w", address, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w", address, err)
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}
