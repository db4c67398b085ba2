package web

import (
	"bufio"
	"context"
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/switches"
)

// Limits of the event streams: each holds a connection and a goroutine of about 50 KB.
const (
	// maxStreams bounds the pages that wait at once; more are told to poll.
	maxStreams = 500
	// streamBeat is how often an idle stream says it lives; a client that is gone is found by the failed write.
	streamBeat = 15 * time.Second
	// streamLife ends a stream, so that none outlives its session for long. The browser comes again.
	streamLife = 10 * time.Minute
)

// getWait tells the welcome page about the first event, as server-sent events: GET /projects/:slug/wait. It has
// `event: issue` with the address of the issue, once.
func (s *Server) getWait(c *fiber.Ctx) error {
	if err := s.needFeature(c, switches.OwnLive); err != nil {
		return err
	}
	p, err := s.projects.Find(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	if s.streams.Add(1) > maxStreams {
		s.streams.Add(-1)
		return errs.New(errs.Limited, "Too many pages wait at once (limit streams, %d). Reload to look again.", maxStreams)
	}
	c.Set(fiber.HeaderContentType, "text/event-stream")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Accel-Buffering", "no")
	// The writer runs after this handler returned: it must not touch c.
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer s.streams.Add(-1)
		defer func() {
			if r := recover(); r != nil {
				s.report(context.Background(), fmt.Errorf("cannot stream: %v", r))
			}
		}()
		s.waitForIssue(p, w)
	})
	return nil
}

// waitForIssue writes to w until the project has an issue, the client is gone, or the server stops.
func (s *Server) waitForIssue(p model.Project, w *bufio.Writer) {
	ctx, cancel := context.WithTimeout(s.stopping, streamLife)
	defer cancel()
	news, done := s.hub.Watch(p.ID)
	defer done()
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	text := "retry: 2000\n\n"
	for {
		if url, err := s.newestIssue(ctx, p); err == nil && url != "" {
			text += "event: issue\ndata: " + url + "\n\n"
		}
		if _, err := w.WriteString(text); err != nil || w.Flush() != nil {
			return
		}
		text = ": \n\n"
		select {
		case <-ctx.Done():
			return
		case <-news:
		case <-beat.C:
		}
	}
}
