package web

import (
	"encoding/json"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/switches"
	"kibitz/app/switches/ofrep"
	"kibitz/app/switches/unleash"
)

// unleashContext is who asks, in Unleash's words. Other names are properties, too.
type unleashContext struct {
	UserID        string            `json:"userId"`
	SessionID     string            `json:"sessionId"`
	RemoteAddress string            `json:"remoteAddress"`
	Properties    map[string]string `json:"properties"`
}

// getFrontend is what a page gets that asks with Unleash's clients: GET /api/frontend?userId=&properties[x]=.
func (d *doors) getFrontend(v visit) error {
	c := unleashContext{UserID: v.Query("userId"), SessionID: v.Query("sessionId"), RemoteAddress: v.Query("remoteAddress"), Properties: map[string]string{}}
	for key, value := range v.Context().QueryArgs().All() {
		if name, ok := strings.CutPrefix(string(key), "properties["); ok && strings.HasSuffix(name, "]") && len(c.Properties) < switches.MaxAttrs {
			c.Properties[strings.TrimSuffix(name, "]")] = string(value)
		}
	}
	return d.frontend(v, c, v.Context().QueryArgs().QueryString())
}

// postFrontend is the same with the context in the body: POST /api/frontend.
func (d *doors) postFrontend(v visit) error {
	body, err := v.body()
	if err != nil {
		return err
	}
	if len(body) > ofrep.MaxContext {
		return errs.New(errs.TooLarge, "The body has %d bytes; at most %d are read (limit context).", len(body), ofrep.MaxContext)
	}
	var question struct {
		Context unleashContext `json:"context"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &question); err != nil {
			return errs.New(errs.Invalid, `The body is no JSON of the form {"context": {"userId": "...", "properties": {"plan": "pro"}}}, with texts as values.`)
		}
	}
	return d.frontend(v, question.Context, body)
}

// frontend answers the switches that are on. They are not counted: these clients tell of what they used.
func (d *doors) frontend(v visit, c unleashContext, asked []byte) error {
	if c.RemoteAddress == "" {
		c.RemoteAddress = d.server.clientIP(v.Ctx)
	}
	s := v.holder.Snapshot()
	etag := ofrep.ETag(s, d.set(v), "frontend "+c.RemoteAddress, asked)
	v.Set(fiber.HeaderETag, etag)
	if ofrep.Matches(v.Get(fiber.HeaderIfNoneMatch), etag) {
		return d.bare(v.Ctx, fiber.StatusNotModified)
	}
	sub, filter, buf := c.subject(), v.filter(d, s), d.buffer()
	b := append(*buf, `{"toggles":[`...)
	empty := len(b)
	s.Each(&sub, func(a *switches.Answer) {
		if !a.On || filter != nil && !filter(a.Key) {
			return
		}
		if len(b) > empty {
			b = append(b, ',')
		}
		b = unleash.AppendToggle(b, unleash.ToggleOf(a.Key, a.Variant, a.Value, s.Boolean(a.Key)))
	})
	return d.give(v.Ctx, fiber.StatusOK, buf, append(b, `]}`...))
}

// subject is who asks, in our words. Properties with names of ours say the same as with us, but for the id.
func (c unleashContext) subject() (sub switches.Subject) {
	for name, value := range c.Properties {
		if name != "targetingKey" && name != "user" && name != "anonymous" && name != "ip" {
			sub.Set(name, value)
		}
	}
	sub.ID, sub.Anonymous = c.UserID, c.SessionID
	if ip, err := netip.ParseAddr(c.RemoteAddress); err == nil {
		sub.IP = ip.WithZone("").Unmap()
	}
	return sub
}
