package perffiber_test

import (
	"context"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"kibitz/app/perf"
	"kibitz/app/perf/perffiber"
	"kibitz/app/trace"
)

// BenchmarkMiddleware is a request through fiber without a network, with the middleware and without.
func BenchmarkMiddleware(b *testing.B) {
	rec := perf.New(perf.Options{Interval: time.Second, Sink: func(context.Context, []trace.Request) error { return nil }})
	defer rec.Close(context.Background())
	for name, r := range map[string]*perf.Recorder{"recorded": rec, "bare": nil} {
		b.Run(name, func(b *testing.B) {
			app := fiber.New()
			app.Use(perffiber.New(r, perffiber.Options{}))
			app.Get("/ok/:id", func(c *fiber.Ctx) error { return c.SendString("hello") })
			handler := app.Handler()
			var ctx fasthttp.RequestCtx
			ctx.Request.SetRequestURI("/ok/12345?q=1")
			ctx.Request.Header.SetMethod("GET")
			b.ReportAllocs()
			for b.Loop() {
				handler(&ctx)
			}
		})
	}
}
