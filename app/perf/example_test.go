package perf_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"kibitz/app/perf"
	"kibitz/app/perf/perffiber"
	"kibitz/app/perf/perfpgx"
	"kibitz/app/trace"
)

// A fiber application with pgx that reports to Kibitz: every request with its queries, the lines that asked for them,
// and its requests to others.
func Example_fiberAndPgx() {
	sink, err := perf.NewOTLP("https://0123456789abcdef0123456789abcdef@kibitz.example/7", nil)
	if err != nil {
		panic(err)
	}
	rec := perf.New(perf.Options{Service: "shop", Release: "shop@1.4.2", Environment: "production", Sink: sink.Send})
	defer rec.Close(context.Background())

	config, err := pgxpool.ParseConfig("postgres:///shop")
	if err != nil {
		panic(err)
	}
	config.ConnConfig.Tracer = perfpgx.New(perfpgx.Options{})
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	client := &http.Client{Transport: perf.Transport(nil), Timeout: 5 * time.Second}

	app := fiber.New()
	app.Use(perffiber.New(rec, perffiber.Options{Keep: perffiber.Secret("let me see")}))
	app.Get("/orders/:id", func(c *fiber.Ctx) error {
		ctx := c.UserContext() // what is done with it belongs to this request
		var total int
		if err := pool.QueryRow(ctx, "select total from orders where id = $1", c.Params("id")).Scan(&total); err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://rates.example/eur", nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req) // carries traceparent and sentry-trace
		if err != nil {
			return err
		}
		defer res.Body.Close()
		return c.JSON(fiber.Map{"total": total})
	})
	if err := app.Listen(":3000"); err != nil {
		panic(err)
	}
}

// A unit of work that is no HTTP request.
func ExampleRecorder_Start() {
	rec := perf.New(perf.Options{Service: "mailer", Sink: func(_ context.Context, requests []trace.Request) error {
		for _, q := range requests {
			fmt.Println(q.Service, q.Op, q.Name, q.State)
			for _, s := range q.Spans {
				fmt.Println(" ", s.Category, s.Op, s.Text, s.Attrs)
			}
		}
		return nil
	}})

	ctx, q := rec.Start(context.Background(), perf.Info{Name: "send digest", Source: "task", Op: "queue.process"})
	perf.Cache(ctx, "cache.get", "digest:7").Hit(false)
	perf.Render(ctx, "digest.html", func(ctx context.Context) error { return nil })
	q.SetState("ok", false)
	q.Finish()

	rec.Close(context.Background())
	// Output:
	// mailer queue.process send digest ok
	//   cache cache.get digest:7 [{cache.hit false}]
	//   template template.render digest.html []
}
