// Command perf_otelgo is a net/http shop with OpenTelemetry that answers four requests of its own and reports them to ENDPOINT in
// protobuf, with the bearer token KEY: a loop of queries, a cached value, a call to itself and a failure.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	out, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(os.Getenv("ENDPOINT")+"/v1/traces"),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression), otlptracehttp.WithHeaders(map[string]string{"Authorization": "Bearer " + os.Getenv("KEY")}))
	if err != nil {
		return fmt.Errorf("cannot make an exporter: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(out), trace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "shop"), attribute.String("service.version", "1"), attribute.String("deployment.environment.name", "test"),
		attribute.String("host.name", "web-4"), attribute.String("telemetry.sdk.language", "go"))))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	base := "http://" + listener.Addr().String()
	go http.Serve(listener, otelhttp.NewHandler(routes(base), "server"))
	for _, address := range []string{"/orders/88213?page=1", "/rates", "/quote", "/fail"} {
		if _, err := ask(ctx, http.DefaultClient, base+address); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return provider.Shutdown(ctx)
}

func routes(base string) http.Handler {
	client := &http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{number}", func(w http.ResponseWriter, r *http.Request) {
		api.SpanFromContext(r.Context()).SetAttributes(attribute.String("user.id", "52107"))
		query(r.Context(), "SELECT id FROM line WHERE order_number = $1")
		for range 6 {
			query(r.Context(), "SELECT name FROM line WHERE id = $1")
		}
		io.WriteString(w, "six lines")
	})
	mux.HandleFunc("GET /rates", func(w http.ResponseWriter, r *http.Request) {
		_, span := otel.Tracer("shop").Start(r.Context(), "GET rates", api.WithSpanKind(api.SpanKindClient),
			api.WithAttributes(attribute.String("db.system.name", "redis"), attribute.String("db.operation.name", "GET"), attribute.String("db.query.text", "GET rates")))
		defer span.End()
		io.WriteString(w, "1.61")
	})
	mux.HandleFunc("GET /quote", func(w http.ResponseWriter, r *http.Request) {
		body, err := ask(r.Context(), client, base+"/rates?currency=nzd")
		if err != nil {
			http.Error(w, "no rates", http.StatusBadGateway)
			return
		}
		w.Write(body)
	})
	mux.HandleFunc("GET /fail", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "the cart has no total", http.StatusInternalServerError)
	})
	return mux
}

func query(ctx context.Context, sql string) {
	_, span := otel.Tracer("shop").Start(ctx, "SELECT line", api.WithSpanKind(api.SpanKindClient), api.WithAttributes(
		attribute.String("db.system.name", "postgresql"), attribute.String("db.query.text", sql), attribute.Int("db.response.returned_rows", 1),
		attribute.String("code.file.path", "shop/order.go"), attribute.Int("code.line.number", 42), attribute.String("code.function.name", "shop.show")))
	defer span.End()
	time.Sleep(2 * time.Millisecond)
}

func ask(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w", address, err)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w", address, err)
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}
