// Package receiver is the door that SDKs send to: it finds out whose a request is, bounds and inflates its body, and
// hands what is in it to the pipeline.
package receiver

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"kibitz/app/errs"
	"kibitz/ingest"
	"kibitz/ingest/envelope"
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
}

// Receiver answers the endpoints of https://develop.sentry.dev/sdk/.
type Receiver struct {
	keys     Keys
	pipeline *ingest.Pipeline
	outcomes *ingest.Outcomes
	limits   ingest.Limits
	log      *slog.Logger
	proxies  proxies
	bodies   *bodies
}

// New makes a receiver.
func New(o Options) *Receiver {
	return &Receiver{o.Keys, o.Pipeline, o.Outcomes, o.Limits, o.Log, parseProxies(o.TrustedProxies), newBodies(o.Limits.InFlight)}
}

// Mount adds the endpoints to a router.
func (r *Receiver) Mount(router fiber.Router) {
	for _, path := range []string{"/api/:project/envelope", "/api/:project/store", "/api/store"} {
		take := r.takeStore
		if strings.HasSuffix(path, "envelope") {
			take = r.takeEnvelope
		}
		router.Options(path, r.preflight)
		router.Post(path, func(c *fiber.Ctx) error { return r.answer(c, take) })
	}
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
		r.outcomes.Count(source.Project, "default", ingest.Invalid, envelope.Reason(err), 1)
		return "", errs.New(errs.Invalid, "The envelope cannot be read: %v", err)
	}
	if key == "" {
		key, _ = keyOfDSN(env.DSN)
		if source, err = r.source(c, key); err != nil {
			return "", err
		}
	}
	return r.pipeline.Accept(c.UserContext(), source, env.EventID, items)
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
	return r.pipeline.Accept(c.UserContext(), source, "", []envelope.Item{{Type: "event", Payload: payload}})
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
	deny := func(reason, text string) (ingest.Source, error) {
		r.outcomes.Count(0, "default", ingest.Invalid, reason, 1)
		return ingest.Source{}, errs.New(errs.Forbidden, "%s", text)
	}
	if key == "" {
		r.outcomes.Count(0, "default", ingest.Invalid, "auth_missing", 1)
		return ingest.Source{}, errs.New(errs.Unauthorized, "The request carries no key. Check the DSN.")
	}
	if len(key) != 32 || strings.Trim(key, "0123456789abcdef") != "" {
		return deny("auth_malformed", "That is not a project key: it has 32 hexadecimal digits. Check the DSN.")
	}
	info, ok := r.keys.Lookup(c.UserContext(), key)
	if !ok {
		return deny("unknown_key", "There is no such project key. Check the DSN.")
	}
	if !info.Active {
		return deny("disabled_key", "This project key is switched off. Take the new DSN of the project.")
	}
	if named := c.Params("project"); named != "" {
		if n, err := strconv.ParseInt(named, 10, 64); err != nil || n != info.ProjectID {
			return deny("project_mismatch", "The key belongs to another project than the address names. Check the DSN.")
		}
	}
	return ingest.Source{Project: info.ProjectID, KeyID: info.KeyID, Received: time.Now().UTC().Truncate(time.Millisecond), RemoteIP: r.proxies.client(c)}, nil
}
