// Package receiver is the door that SDKs send to: it finds out whose a request is, bounds and inflates its body, and
// hands what is in it to the pipeline.
package receiver

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"kibitz/app/errs"
	"kibitz/ingest"
	"kibitz/ingest/envelope"
	"kibitz/ingest/pglog"
)

// KeyInfo is what the receiver knows about a project key.
type KeyInfo struct {
	ProjectID, KeyID int64
	Active           bool
}

// Keys finds project keys by their public text, from memory.
type Keys interface {
	Lookup(ctx context.Context, public string) (KeyInfo, bool)
}

// Options are what a receiver connects.
type Options struct {
	Keys           Keys
	Pipeline       *ingest.Pipeline
	Outcomes       *ingest.Outcomes
	Limits         ingest.Limits
	Log            *slog.Logger
	TrustedProxies []string
	// PGLog is how PostgreSQL's logs are read: Normalizer is needed, and Prefix is that of senders which say none.
	PGLog pglog.Options
}

// Receiver answers the endpoints of https://develop.sentry.dev/sdk/ and of https://opentelemetry.io/docs/specs/otlp/.
type Receiver struct {
	keys     Keys
	pipeline *ingest.Pipeline
	outcomes *ingest.Outcomes
	limits   ingest.Limits
	log      *slog.Logger
	proxies  proxies
	bodies   *bodies
	reports  flood
	pglog    pglog.Options
	reading  chan struct{} // a place for each log that is being read
}

// New makes a receiver.
func New(o Options) *Receiver {
	return &Receiver{keys: o.Keys, pipeline: o.Pipeline, outcomes: o.Outcomes, limits: o.Limits, log: o.Log,
		proxies: parseProxies(o.TrustedProxies), bodies: newBodies(o.Limits.InFlight), pglog: o.PGLog, reading: make(chan struct{}, maxLogs)}
}

// Mount adds the endpoints to a router.
func (r *Receiver) Mount(router fiber.Router) {
	doors := map[string]func(*fiber.Ctx) (string, error){"/api/:project/envelope": r.takeEnvelope, "/api/:project/store": r.takeStore,
		"/api/store": r.takeStore, "/api/:project/security": r.takeSecurity, "/api/:project/csp-report": r.takeSecurity}
	for path, take := range doors {
		router.Options(path, r.preflight)
		router.Post(path, func(c *fiber.Ctx) error { return r.answer(c, take) })
		router.All(path, func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderAllow, "POST, OPTIONS")
			return r.answer(c, func(*fiber.Ctx) (string, error) { return "", errs.New(errs.MethodNotAllowed, "") })
		})
	}
	r.mountOTLP(router)
	r.mountPGLog(router)
}

// smallBody is what everything but ingest may send.
const smallBody = 64 << 10

// HeaderReceived narrows the size of a body before it is read, by what the path takes. A body that says that it is
// larger is counted here, since nobody will see it later.
func (r *Receiver) HeaderReceived(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	limit, name := r.wireLimit(string(h.RequestURI()))
	if name != "" && h.ContentLength() > limit {
		r.outcomes.Count(0, "default", ingest.TooLarge, name, 1)
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: limit}
}

func (r *Receiver) wireLimit(uri string) (int, string) {
	path, _, _ := strings.Cut(uri, "?")
	path = strings.TrimSuffix(path, "/")
	switch {
	case strings.HasPrefix(path, "/api/") && strings.HasSuffix(path, "/envelope"):
		return r.limits.EnvelopeWire, "envelope_wire"
	case strings.HasPrefix(path, "/api/") && strings.HasSuffix(path, "/store"):
		return r.limits.StoreWire, "store_wire"
	case strings.HasPrefix(path, "/api/") && strings.HasSuffix(path, "/pglog"):
		return r.limits.PGLogWire, "pglog_wire"
	case isOTLP(path):
		return r.limits.OTLPWire, "otlp_wire"
	}
	return smallBody, ""
}

// Headers that browsers may send and read, after Relay.
const (
	allowHeaders  = "x-sentry-auth, x-requested-with, x-forwarded-for, origin, referer, accept, content-type, authentication, authorization, content-encoding, transfer-encoding, sentry-trace, baggage, traceparent"
	exposeHeaders = "x-sentry-error, x-sentry-rate-limits, retry-after"
)

func cors(c *fiber.Ctx) {
	c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
	c.Set(fiber.HeaderAccessControlExposeHeaders, exposeHeaders)
	c.Set("Cross-Origin-Resource-Policy", "cross-origin")
	c.Set("X-Content-Type-Options", "nosniff")
}

func (r *Receiver) preflight(c *fiber.Ctx) error {
	cors(c)
	c.Set(fiber.HeaderAccessControlAllowMethods, "POST, OPTIONS")
	c.Set(fiber.HeaderAccessControlAllowHeaders, allowHeaders)
	c.Set(fiber.HeaderAccessControlMaxAge, "3600")
	return c.SendStatus(fiber.StatusNoContent)
}

// retryAfter is how long an SDK should wait after a refusal that will pass, in seconds.
const retryAfter = "10"

// answer runs a door and tells the SDK how it went, in the form that SDKs read.
func (r *Receiver) answer(c *fiber.Ctx, take func(*fiber.Ctx) (string, error)) error {
	cors(c)
	id, err := take(c)
	if err == nil {
		if id == "" {
			return c.JSON(fiber.Map{})
		}
		return c.JSON(fiber.Map{"id": id})
	}
	kind := errs.Of(err)
	if kind == errs.Internal {
		return err
	}
	message := errs.Message(err)
	c.Set("X-Sentry-Error", message)
	if kind == errs.Unavailable || kind == errs.Limited {
		c.Set(fiber.HeaderRetryAfter, retryAfter)
	}
	return c.Status(errs.Status(err)).JSON(fiber.Map{"detail": message, "causes": []string{}})
}

// takeEnvelope is POST /api/:project/envelope/.
func (r *Receiver) takeEnvelope(c *fiber.Ctx) (string, error) {
	key := credentials(c)
	var source ingest.Source
	var err error
	if key != "" { // before the body costs anything
		if source, err = r.source(c, key); err != nil {
			return "", err
		}
	}
	b, err := r.bodies.inflate(c.BodyRaw(), c.Get(fiber.HeaderContentEncoding), r.limits.EnvelopeSize, "envelope_size")
	if err != nil {
		return "", r.refuse(source.Project, err)
	}
	defer b.free()
	env, items, err := envelope.Parse(b.data, envelope.Limits{Items: r.limits.Items, HeaderLine: r.limits.HeaderLine})
	if err != nil {
		return "", r.malformed(source.Project, err)
	}
	dsnKey, dsnProject := keyOfDSN(env.DSN)
	if key != "" && dsnKey != "" && (dsnKey != key || dsnProject != strconv.FormatInt(source.Project, 10)) {
		r.outcomes.Count(source.Project, "default", ingest.Invalid, "dsn_mismatch", 1)
		return "", errs.New(errs.Invalid, "The DSN in the envelope is another one than that of the request.")
	}
	if key == "" {
		key = dsnKey
		if source, err = r.source(c, key); err != nil {
			return "", err
		}
	}
	return r.pipeline.Accept(c.UserContext(), source, env, items)
}

// malformed counts an envelope that breaks the grammar or a limit of it.
func (r *Receiver) malformed(project int64, err error) error {
	reason, outcome, kind := envelope.Reason(err), ingest.Invalid, errs.Invalid
	if reason == "envelope_items" {
		outcome, kind = ingest.TooLarge, errs.TooLarge
	}
	r.outcomes.Count(project, "default", outcome, reason, 1)
	return errs.New(kind, "The envelope cannot be read: %v", err)
}

// takeStore is POST /api/:project/store/: one bare event, in very old clients base64 of zlib.
func (r *Receiver) takeStore(c *fiber.Ctx) (string, error) {
	source, err := r.source(c, credentials(c))
	if err != nil {
		return "", err
	}
	limit := r.limits.EventSize + 1 // one more, so that the pipeline counts what is too large
	b, err := r.bodies.inflate(c.BodyRaw(), c.Get(fiber.HeaderContentEncoding), limit, "event_size")
	if err != nil {
		return "", r.refuse(source.Project, err)
	}
	defer b.free()
	payload := b.data
	if trimmed := bytes.TrimSpace(payload); len(trimmed) > 0 && trimmed[0] != '{' {
		if raw, derr := base64.StdEncoding.AppendDecode(nil, trimmed); derr == nil {
			old, err := r.bodies.inflate(raw, "deflate", limit, "event_size")
			if err != nil {
				return "", r.refuse(source.Project, err)
			}
			defer old.free()
			payload = old.data
		}
	}
	return r.pipeline.Accept(c.UserContext(), source, envelope.Envelope{}, []envelope.Item{{Type: "event", Payload: payload}})
}

// securityTypes are what browsers send reports as.
var securityTypes = map[string]bool{"application/csp-report": true, "application/json": true, "application/reports+json": true,
	"application/expect-ct-report": true, "application/expect-ct-report+json": true, "application/expect-staple-report": true}

// takeSecurity is POST /api/:project/security/: reports are read and counted, and not kept yet.
func (r *Receiver) takeSecurity(c *fiber.Ctx) (string, error) {
	source, err := r.source(c, credentials(c))
	if err != nil {
		return "", err
	}
	if !r.reports.admit(source.Project, source.Received) {
		r.outcomes.Count(source.Project, "security", ingest.RateLimited, "security_per_minute", 1)
		return "", errs.New(errs.Limited, "The project takes %d browser reports a minute (security_per_minute).", securityPerMinute)
	}
	kind, _, _ := strings.Cut(c.Get(fiber.HeaderContentType), ";")
	if !securityTypes[strings.ToLower(strings.TrimSpace(kind))] {
		r.outcomes.Count(source.Project, "security", ingest.Invalid, "content_type", 1)
		return "", errs.New(errs.Unsupported, "That is not a type that browsers send reports as.")
	}
	b, err := r.bodies.inflate(c.BodyRaw(), c.Get(fiber.HeaderContentEncoding), smallBody, "store_wire")
	if err != nil {
		return "", r.refuse(source.Project, err)
	}
	defer b.free()
	if !json.Valid(b.data) {
		r.outcomes.Count(source.Project, "security", ingest.Invalid, "json", 1)
		return "", errs.New(errs.Invalid, "The report is not JSON.")
	}
	r.outcomes.Count(source.Project, "security", ingest.Filtered, "not_enabled", 1)
	return "", nil
}

// refuse counts a body that was not taken.
func (r *Receiver) refuse(project int64, err error) error {
	switch errs.Of(err) {
	case errs.TooLarge:
		r.outcomes.Count(project, "default", ingest.TooLarge, "inflated_size", 1)
	case errs.Unavailable:
		r.outcomes.Count(project, "default", ingest.RateLimited, "in_flight", 1)
	case errs.Unsupported:
		r.outcomes.Count(project, "default", ingest.Invalid, "content_encoding", 1)
	default:
		r.outcomes.Count(project, "default", ingest.Invalid, "compression", 1)
	}
	return err
}

// source finds out whose a request is: the key must be active and be the project's that the address names.
func (r *Receiver) source(c *fiber.Ctx, key string) (ingest.Source, error) {
	// One answer for all: a stranger must not learn which keys and projects exist. The reason is in the outcomes.
	deny := func(reason string) (ingest.Source, error) {
		r.outcomes.Count(0, "default", ingest.Invalid, reason, 1)
		return ingest.Source{}, errs.New(errs.Forbidden, "The request carries no active key of this project. Check the DSN.")
	}
	switch {
	case key == "":
		return deny("auth_missing")
	case key == ambiguous:
		r.outcomes.Count(0, "default", ingest.Invalid, "auth_ambiguous", 1)
		return ingest.Source{}, errs.New(errs.Invalid, "The request carries two different keys.")
	case len(key) != 32 || strings.Trim(key, "0123456789abcdef") != "":
		return deny("auth_malformed")
	}
	info, ok := r.keys.Lookup(c.UserContext(), key)
	if !ok {
		return deny("unknown_key")
	}
	if !info.Active {
		return deny("disabled_key")
	}
	if named := c.Params("project"); named != "" {
		if n, err := strconv.ParseInt(named, 10, 64); err != nil || n != info.ProjectID {
			return deny("project_mismatch")
		}
	}
	return ingest.Source{Project: info.ProjectID, KeyID: info.KeyID, Received: time.Now().UTC().Truncate(time.Millisecond), RemoteIP: r.proxies.client(c)}, nil
}
