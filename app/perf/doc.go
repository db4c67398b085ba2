// Package perf records what a program's requests spend their time on: queries, cache calls, requests to others, templates
// and the waiting for connections, each with its duration and, where it is asked for, the line of code that wanted it.
//
// A Recorder is made once. Its middleware (perffiber for fiber v2, or Start by hand) puts a Request into the context;
// whatever runs with that context adds to it:
//
//	rec := perf.New(perf.Options{Service: "shop", Release: "shop@1.4.2", Sink: sink})
//	defer rec.Close(ctx)
//	app.Use(perffiber.New(rec, perffiber.Options{}))               // every request
//	config.ConnConfig.Tracer = perfpgx.New(perfpgx.Options{})      // every query with its caller and its wait for a connection
//	client := &http.Client{Transport: perf.Transport(nil)}         // every request to others; carries the trace on
//	span := perf.Begin(ctx, trace.Other, "function", "checkout")   // anything else
//	defer span.End()
//
// Nothing here waits for anyone. A request that ends goes into a bounded ring; a goroutine hands batches to the Sink. When
// the sink is slow, fails or panics, requests are dropped and counted, and the program does not notice. What one request may
// record is bounded too: beyond Options.MaxSpans only totals grow.
//
// Every request is recorded, whatever its caller sampled: deciding which to keep whole is for the one who knows how long it took.
package perf
