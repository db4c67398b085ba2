package receiver

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/ingest"
	"kibitz/ingest/otlp"
)

// otlpPaths are where OpenTelemetry sends to by default, and where Sentry takes the same.
var otlpPaths = map[string]otlp.Signal{"/v1/traces": otlp.Traces, "/v1/logs": otlp.Logs,
	"/api/:project/integration/otlp/v1/traces": otlp.Traces, "/api/:project/integration/otlp/v1/logs": otlp.Logs}

// isOTLP tells whether a path without its last slash is one of them.
func isOTLP(path string) bool {
	if strings.HasPrefix(path, "/api/") {
		_, path, _ = strings.Cut(path, "/integration/otlp")
	}
	return path == "/v1/traces" || path == "/v1/logs"
}

func (r *Receiver) mountOTLP(router fiber.Router) {
	for path, signal := range otlpPaths {
		router.Options(path, r.preflight)
		router.Post(path, func(c *fiber.Ctx) error {
			cors(c)
			encoding, ok := otlp.EncodingOf(c.Get(fiber.HeaderContentType))
			rejected, err := r.takeOTLP(c, signal, encoding, ok)
			return r.answerOTLP(c, signal, encoding, rejected, err)
		})
		router.All(path, func(c *fiber.Ctx) error {
			cors(c)
			c.Set(fiber.HeaderAllow, "POST, OPTIONS")
			return r.answerOTLP(c, signal, otlp.JSON, otlp.Rejected{}, errs.New(errs.MethodNotAllowed, "Messages are sent with POST."))
		})
	}
}

// takeOTLP takes one message. On /v1/* the project follows from the key.
func (r *Receiver) takeOTLP(c *fiber.Ctx, signal otlp.Signal, encoding otlp.Encoding, known bool) (none otlp.Rejected, err error) {
	source, err := r.source(c, credentials(c))
	if err != nil {
		return none, err
	}
	if !known {
		r.outcomes.Count(source.Project, categories[signal], ingest.Invalid, "content_type", 1)
		return none, errs.New(errs.Unsupported, "The Content-Type is neither application/x-protobuf nor application/json.")
	}
	b, err := r.bodies.inflate(c.BodyRaw(), c.Get(fiber.HeaderContentEncoding), r.limits.OTLPSize, "otlp_size")
	if err != nil {
		return none, r.refuse(source.Project, err)
	}
	defer b.free()
	keep := r.traces
	if signal == otlp.Logs {
		keep = r.logs
	}
	rejected, err := keep(c.UserContext(), source, b.data, encoding)
	r.outcomes.Count(source.Project, categories[signal], ingest.Invalid, "invalid_"+categories[signal], int64(rejected.N))
	return rejected, err
}

// categories are what outcomes count the items of a signal under.
var categories = [...]string{otlp.Traces: "span", otlp.Logs: "log_item"}

func (r *Receiver) traces(ctx context.Context, from ingest.Source, body []byte, encoding otlp.Encoding) (otlp.Rejected, error) {
	requests, rejected, err := otlp.DecodeTraces(body, encoding, otlp.Limits{Items: r.limits.OTLPItems})
	if err != nil {
		return otlp.Rejected{}, r.unreadable(from, otlp.Traces, err)
	}
	return rejected, r.pipeline.AcceptRequests(ctx, from, requests)
}

func (r *Receiver) logs(ctx context.Context, from ingest.Source, body []byte, encoding otlp.Encoding) (otlp.Rejected, error) {
	lines, rejected, err := otlp.DecodeLogs(body, encoding, otlp.Limits{Items: r.limits.OTLPItems})
	if err != nil {
		return otlp.Rejected{}, r.unreadable(from, otlp.Logs, err)
	}
	lines, p := r.postgresLines(from, lines)
	if err := r.pipeline.AcceptPortion(ctx, from, p); err != nil {
		return rejected, err
	}
	return rejected, r.pipeline.AcceptLogs(ctx, from, lines)
}

// unreadable counts a message of which nothing can be read.
func (r *Receiver) unreadable(from ingest.Source, signal otlp.Signal, err error) error {
	r.outcomes.Count(from.Project, categories[signal], ingest.Invalid, "otlp", 1)
	return errs.New(errs.Invalid, "The message cannot be read: %v.", err)
}

// codes are those of google.rpc.Status for kinds of errors.
var codes = map[errs.Kind]int{errs.Invalid: otlp.CodeInvalid, errs.Unsupported: otlp.CodeInvalid, errs.MethodNotAllowed: otlp.CodeInvalid,
	errs.TooLarge: otlp.CodeInvalid, errs.Forbidden: otlp.CodeDenied, errs.Limited: otlp.CodeExhausted, errs.Unavailable: otlp.CodeUnavailable,
	errs.Internal: otlp.CodeInternal}

// answerOTLP answers in the encoding of the question. Exporters try again after 429 and 503 and nothing else, and wait for as
// long as Retry-After says.
func (r *Receiver) answerOTLP(c *fiber.Ctx, signal otlp.Signal, encoding otlp.Encoding, rejected otlp.Rejected, err error) error {
	c.Set(fiber.HeaderContentType, encoding.ContentType())
	if err == nil {
		return c.Send(otlp.Success(encoding, signal, rejected))
	}
	kind := errs.Of(err)
	if kind == errs.Internal {
		r.log.Error("cannot take a message of OpenTelemetry", "err", err)
	}
	if kind == errs.Unavailable || kind == errs.Limited {
		c.Set(fiber.HeaderRetryAfter, retryAfter)
	}
	code, ok := codes[kind]
	if !ok {
		code = otlp.CodeUnknown
	}
	return c.Status(errs.Status(err)).Send(otlp.Failure(encoding, code, errs.Message(err)))
}
