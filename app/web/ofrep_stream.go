package web

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/switches"
	"kibitz/app/switches/ofrep"
)

// Limits of streams of changes of switches.
const (
	// doorBeat is how often an idle stream says it lives, and asks whether its token does.
	doorBeat = 25 * time.Second
	// recently is how long after a change those who come are told of it at once: they may have asked for answers just before.
	recently = time.Minute
)

// changeTimes is when the answers of environments changed, as far as anybody who listens has seen.
type changeTimes struct {
	mu  sync.Mutex
	all map[string]changeTime
}

type changeTime struct {
	mark string
	at   time.Time
}

// see notes the state of an environment and tells when it came about; the zero time for an environment
// that nobody listened to before.
func (c *changeTimes) see(env, mark string, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.all[env]
	if ok && known.mark == mark {
		return known.at
	}
	if c.all == nil {
		c.all = map[string]changeTime{}
	}
	at := now
	if !ok {
		at = time.Time{}
	}
	c.all[env] = changeTime{mark, at}
	return at
}

// getStream tells a page when answers may have changed: GET /ofrep/v1/stream/{token}, server-sent events. It takes the
// connection over: a stream then costs one goroutine and some KB.
func (d *doors) getStream(c *fiber.Ctx) error {
	d.allow(c)
	token, ok := ofrep.ReadStreamToken(c.Params("token"), d.StreamKey, time.Now())
	if !ok || !d.Gate.Living(token.Token) {
		return d.bare(c, fiber.StatusUnauthorized)
	}
	env, ok := d.environment(token.Environment)
	if !ok {
		return d.bare(c, fiber.StatusUnauthorized)
	}
	if d.open.Add(1) > int64(d.Streams) {
		d.open.Add(-1)
		c.Set(fiber.HeaderRetryAfter, "30")
		return d.failed(c, fiber.StatusTooManyRequests, fmt.Sprintf("%d pages listen at once (setting switches.streams). Ask again later.", d.Streams))
	}
	s := &stream{doors: d, token: token, holder: d.Holder(env), last: strings.Clone(c.Get("Last-Event-ID")),
		origin: string(c.Response().Header.Peek(fiber.HeaderAccessControlAllowOrigin))}
	c.Context().HijackSetNoResponse(true)
	c.Context().Hijack(s.run)
	return nil
}

// stream is one that listens.
type stream struct {
	*doors
	token  ofrep.StreamToken
	holder *switches.Holder
	last   string // state that the client knows
	origin string
}

// run writes until the client is gone, its token has ended or the server stops.
func (s *stream) run(conn net.Conn) {
	defer s.open.Add(-1)
	defer func() {
		if r := recover(); r != nil && s.server.report != nil {
			s.server.report(context.Background(), fmt.Errorf("cannot stream changes of switches: %v", r))
		}
	}()
	env := s.holder.Environment()
	news, done := s.Watch(env)
	defer done()
	// The state is read after the watch began: no change falls between.
	mark := ofrep.Mark(s.holder.Snapshot())
	since := s.changes.see(env, mark, time.Now())
	text := s.head(mark)
	if s.last != mark && (s.last != "" || time.Since(since) < recently) {
		text += ofrep.Event(mark, time.Now())
	}
	beat, end := time.NewTicker(doorBeat), time.NewTimer(time.Until(s.token.Expires))
	defer beat.Stop()
	defer end.Stop()
	for {
		if text != "" {
			if _, err := conn.Write([]byte(text)); err != nil {
				return
			}
		}
		text = ""
		select {
		case <-s.server.stopping.Done():
			return
		case <-end.C:
			return
		case <-news:
			if now := ofrep.Mark(s.holder.Snapshot()); now != mark {
				mark = now
				s.changes.see(env, mark, time.Now())
				text = ofrep.Event(mark, time.Now())
			}
		case <-beat.C:
			if !s.Gate.Living(s.token.Token) {
				return
			}
			text = ":\n\n"
		}
	}
}

// head is the answer's beginning. It names the state, so that who comes back says what it knows.
func (s *stream) head(mark string) string {
	text := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\nConnection: close\r\n" +
		"X-Content-Type-Options: nosniff\r\n"
	if s.origin != "" {
		text += "Access-Control-Allow-Origin: " + s.origin + "\r\n"
		if s.origin != "*" {
			text += "Vary: Origin\r\n"
		}
	}
	return text + "\r\nretry: 3000\n" + "id: " + mark + "\n: listening\n\n"
}
