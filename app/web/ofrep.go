package web

import (
	"errors"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/switches"
	"kibitz/app/switches/ofrep"
	"kibitz/static"
)

// postFlag answers one switch: POST /ofrep/v1/evaluate/flags/{key}.
func (d *doors) postFlag(v visit) error {
	key, buf := v.key(), d.buffer()
	sub, err := subjectOf(v)
	var failure *ofrep.Failure
	if errors.As(err, &failure) {
		return d.give(v.Ctx, fiber.StatusBadRequest, buf, ofrep.AppendFailure(*buf, key, failure.Code, failure.Details))
	}
	if err != nil {
		return err
	}
	// Of a key that there is none of the Holder is not asked: it would make it, which is for our own code.
	a, s := switches.Answer{Key: key, Reason: switches.NotFound}, v.holder.Snapshot()
	if filter := v.filter(d, s); s.Has(key) && (filter == nil || filter(key)) {
		a = v.holder.Variant(key, &sub)
	}
	status := fiber.StatusOK
	if code, _, failed := ofrep.FailureOf(&a); code == ofrep.FlagNotFound {
		status = fiber.StatusNotFound
	} else if failed {
		status = fiber.StatusBadRequest
	}
	return d.give(v.Ctx, status, buf, ofrep.AppendAnswer(*buf, &a, v.rules()))
}

func subjectOf(v visit) (switches.Subject, error) {
	body, err := v.body()
	if err != nil {
		return switches.Subject{}, err
	}
	return ofrep.Subject(body)
}

// postBulk answers all switches: POST /ofrep/v1/evaluate/flags. 304 when the client has the answer already, which is known
// before anything is evaluated.
func (d *doors) postBulk(v visit) error {
	body, err := v.body()
	if err != nil {
		return err
	}
	c := v.holder.Counting()
	s, stream := c.Snapshot(), d.streamPath(v)
	etag := ofrep.ETag(s, d.set(v), stream, body)
	v.Set(fiber.HeaderETag, etag)
	if ofrep.Matches(v.Get(fiber.HeaderIfNoneMatch), etag) {
		return d.bare(v.Ctx, fiber.StatusNotModified)
	}
	buf := d.buffer()
	sub, err := ofrep.Subject(body)
	var failure *ofrep.Failure
	if errors.As(err, &failure) {
		v.Response().Header.Del(fiber.HeaderETag)
		return d.give(v.Ctx, fiber.StatusBadRequest, buf, ofrep.AppendWhole(*buf, failure.Code, failure.Details))
	}
	return d.give(v.Ctx, fiber.StatusOK, buf, ofrep.AppendBulk(*buf, c, &sub, v.filter(d, s), stream))
}

// set names the switches that a visitor gets to see.
func (d *doors) set(v visit) string {
	if v.rules() {
		return ""
	}
	return "#" + d.PublicTag
}

// streamPath is where a visitor may listen to changes; clients ask the host that they asked for the rest.
func (d *doors) streamPath(v visit) string {
	return "/ofrep/v1/stream/" + ofrep.NewStreamToken(v.grant.ID, v.holder.Environment(), time.Now()).Text(d.StreamKey)
}

// getClient is the client of switches for pages of any site: GET /switches.js, the same in each environment.
func (d *doors) getClient(c *fiber.Ctx) error {
	file := static.Client()
	c.Set(fiber.HeaderContentType, "text/javascript; charset=utf-8")
	c.Set(fiber.HeaderCacheControl, "public, max-age=3600")
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set("Cross-Origin-Resource-Policy", "cross-origin")
	c.Set(fiber.HeaderAccessControlAllowOrigin, "*") // for integrity attributes
	c.Set(fiber.HeaderETag, file.ETag)
	c.Vary(fiber.HeaderAcceptEncoding)
	if ofrep.Matches(c.Get(fiber.HeaderIfNoneMatch), file.ETag) {
		return d.bare(c, fiber.StatusNotModified)
	}
	if file.Gzip != nil && strings.Contains(c.Get(fiber.HeaderAcceptEncoding), "gzip") {
		c.Set(fiber.HeaderContentEncoding, "gzip")
		return c.Send(file.Gzip)
	}
	return c.Send(file.Body)
}
