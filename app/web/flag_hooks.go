package web

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/flags"
	"kibitz/app/model"
	"kibitz/app/switches/flaghook"
)

// isFlagHook tells whether a path takes messages of providers of flags.
func isFlagHook(path string) bool {
	return strings.HasPrefix(path, "/api/0/organizations/") && strings.Contains(path, "/flags/hooks/provider/")
}

// postFlagHook takes what a provider tells of changes of its flags, in Sentry's forms:
// POST /api/0/organizations/:org/flags/hooks/provider/:provider/. The signature is who asks.
func (s *Server) postFlagHook(c *fiber.Ctx) error {
	if err := checkOrg(c); err != nil {
		return err
	}
	taken, err := s.flags.Take(c.UserContext(), c.Params("provider"), flaghook.Headers{Sentry: c.Get("X-Sentry-Signature"),
		LaunchDarkly: c.Get("X-LD-Signature"), Statsig: c.Get("X-Statsig-Signature"), StatsigTime: c.Get("X-Statsig-Request-Timestamp"),
		Auth: c.Get(fiber.HeaderAuthorization)}, c.BodyRaw())
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"changes": taken.Changes, "new": taken.New})
}

// apiFlagLine is a change in Sentry's shape.
type apiFlagLine struct {
	ID            string            `json:"id"`
	Action        string            `json:"action"`
	CreatedAt     string            `json:"createdAt"`
	CreatedBy     *string           `json:"createdBy"`
	CreatedByType *string           `json:"createdByType"`
	Flag          string            `json:"flag"`
	Provider      string            `json:"provider"`
	Tags          map[string]string `json:"tags"`
}

func apiFlagLineOf(c model.FlagChange) apiFlagLine {
	line := apiFlagLine{ID: id(c.ID), Action: c.Action, CreatedAt: c.At.UTC().Format(time.RFC3339Nano), Flag: c.Flag, Provider: c.Provider, Tags: c.Tags}
	if c.By != "" {
		line.CreatedBy, line.CreatedByType = &c.By, &c.ByType
	}
	if line.Tags == nil {
		line.Tags = map[string]string{}
	}
	return line
}

// apiFlagLog is what was changed, of our switches and of others' flags:
// GET /api/0/organizations/:org/flags/logs/?flag=&start=&end=&statsPeriod=.
func (s *Server) apiFlagLog(c *fiber.Ctx) error {
	if err := checkOrg(c); err != nil {
		return err
	}
	q, err := flagQuery(c, time.Now())
	if err != nil {
		return err
	}
	list, more, err := s.flags.Log(c.UserContext(), q, s.ownChanges)
	if err != nil {
		return err
	}
	out, next := []apiFlagLine{}, ""
	for _, line := range list {
		out = append(out, apiFlagLineOf(line))
	}
	if more {
		last := list[len(list)-1]
		next = base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf("f%d.%d", last.At.UnixMicro(), last.ID)))
	}
	apiLink(c, "", next)
	return c.JSON(fiber.Map{"data": out})
}

// flagQuery reads flag (several times), start and end or statsPeriod, per_page and cursor. Without a period it is ninety days.
func flagQuery(c *fiber.Ctx, now time.Time) (q model.FlagQuery, err error) {
	for _, raw := range c.Context().QueryArgs().PeekMulti("flag") {
		if len(q.Flags) >= 20 {
			return q, errs.New(errs.Invalid, "Ask for 20 flags at most (limit flags).")
		}
		q.Flags = append(q.Flags, string(raw))
	}
	if q.From, q.To, err = flagPeriod(c, now); err != nil {
		return q, err
	}
	if q.Limit, err = apiLimit(c); err != nil {
		return q, err
	}
	if text := c.Query("cursor"); text != "" {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		var at int64
		if err == nil {
			_, err = fmt.Sscanf(string(raw), "f%d.%d", &at, &q.BeforeID)
		}
		if err != nil {
			return q, errs.New(errs.Invalid, "That cursor is not one of ours. Begin at the first page.")
		}
		q.To = time.UnixMicro(at).UTC()
	}
	q.Limit = min(q.Limit, flags.MaxPage)
	return q, nil
}

func flagPeriod(c *fiber.Ctx, now time.Time) (from, to time.Time, err error) {
	from, to = now.AddDate(0, 0, -90), now
	if text := c.Query("statsPeriod"); text != "" {
		d, err := statsPeriod(text)
		return now.Add(-d), now, err
	}
	for name, at := range map[string]*time.Time{"start": &from, "end": &to} {
		text := c.Query(name)
		if text == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t, err = time.Parse("2006-01-02T15:04:05", text) // Sentry takes moments without a zone for UTC
		}
		if err != nil {
			return from, to, errs.New(errs.Invalid, "%s is no moment of ISO 8601.", name)
		}
		*at = t
	}
	return from, to, nil
}

// statsPeriod reads 30m, 24h, 14d or 4w.
func statsPeriod(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	unit, ok := units[text[len(text)-1]]
	n, err := strconv.Atoi(text[:len(text)-1])
	if !ok || err != nil || n <= 0 || n > 10_000 {
		return 0, errs.New(errs.Invalid, "statsPeriod is a number and s, m, h, d or w: 14d.")
	}
	return time.Duration(n) * unit, nil
}
