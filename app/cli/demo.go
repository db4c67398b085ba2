package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"kibitz/app/config"
	"kibitz/app/errs"
	"kibitz/ingest"
	"kibitz/ingest/envelope"
)

// demoAccount signs in to the demo. Its data directory is for nothing else.
const (
	demoEmail    = "demo@kibitz.example"
	demoPassword = "demo-demo-demo"
)

// The demo's past: how many events, over how long, are there when the first page opens.
const (
	demoPast   = 600
	demoWindow = 24 * time.Hour
)

// demo is `kibitz demo`: the server with an account, a Python shop that fails in a dozen ways and tells of its requests, and Kibitz's
// own faults.
func demo(ctx context.Context, c *call) error {
	if c.config.Admin.Email == "" {
		c.config.Admin.Email, c.config.Admin.Password = demoEmail, demoPassword
	}
	if err := demoDirectory(c.config); err != nil {
		return err
	}
	s, err := start(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "sign in: %s with the password %s\n", c.config.Admin.Email, c.config.Admin.Password)
	traffic, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.demoTraffic(traffic); err != nil && traffic.Err() == nil {
			c.log.Error("the demo's traffic stopped", "err", err)
		}
	}()
	err = s.wait(ctx)
	cancel()
	<-done
	return err
}

// demoDirectory keeps the demo, whose password everybody knows, out of a directory with real data: it has one of its own
// beneath the default, and takes another only when that is new or was a demo's before.
func demoDirectory(c *config.Config) error {
	if c.IsDefault("data") {
		c.Data = filepath.Join(c.Data, "demo")
	}
	mark := filepath.Join(c.Data, "demo")
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(c.Data, "spool")); err == nil {
		return fmt.Errorf("%s holds data that is no demo's: name another directory with KIBITZ_DATA", c.Data)
	}
	if err := os.MkdirAll(c.Data, 0o755); err != nil {
		return fmt.Errorf("cannot make the demo's directory: %w", err)
	}
	return os.WriteFile(mark, []byte("made by kibitz demo\n"), 0o644)
}

// demoTraffic fills the last day, then goes on with an event every second or so. Some failures are frequent and some
// are rare, as everywhere.
func (s *server) demoTraffic(ctx context.Context) error {
	shop, key, err := s.Projects.Ensure(ctx, "tealeaf-shop", "python")
	if err != nil {
		return err
	}
	r := mathrand.New(mathrand.NewPCG(uint64(time.Now().UnixNano()), 2))
	send := func(at time.Time) error {
		// Squaring a uniform number makes the first failures the frequent ones.
		u := r.Float64()
		return s.demoEvent(ctx, ingest.Source{Project: shop.ID, KeyID: key.ID, Received: time.Now().UTC()},
			envelope.SampleEvent(r, int(u*u*float64(envelope.Faults)), newEventID(), at))
	}
	first := shop.FirstEventAt.IsZero()
	var requests sync.WaitGroup
	requests.Go(func() {
		if err := s.shopRequests(ctx, ingest.Source{Project: shop.ID, KeyID: key.ID, Received: time.Now().UTC()}, first); err != nil && ctx.Err() == nil {
			s.log.Error("the demo's requests stopped", "err", err)
		}
	})
	defer requests.Wait()
	if first {
		for range demoPast {
			if err := send(time.Now().Add(-time.Duration(r.Float64() * float64(demoWindow)))); err != nil {
				return err
			}
		}
	}
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(300+r.IntN(1500)) * time.Millisecond):
		}
		if err := send(time.Now()); err != nil && errs.Of(err) != errs.Unavailable {
			return err
		}
		if n%20 == 0 {
			s.self.report(ctx, demoFault(n/20))
		}
	}
}

func (s *server) demoEvent(ctx context.Context, from ingest.Source, event []byte) error {
	_, err := s.pipeline.Accept(ctx, from, envelope.Envelope{}, []envelope.Item{{Type: "event", Payload: event}})
	return err
}

// demoFault is an exception of Kibitz itself, of three kinds.
func demoFault(n int) error {
	switch n % 3 {
	case 0:
		return fmt.Errorf("cannot refresh the board: %w", context.DeadlineExceeded)
	case 1:
		return fmt.Errorf("cannot read post %d: %w", 1000+n, errors.New("unexpected end of row"))
	}
	return errors.New("the watcher looked away")
}

func newEventID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
