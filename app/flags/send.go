package flags

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"kibitz/app/switches/flaghook"
)

// Reasons why changes are not sent to an address.
const (
	QueueFull = "queue_full" // the address is slower than what is changed, or away
	Refused   = "refused"    // it answers that it will never take them
	TimedOut  = "timeout"    // it was away for longer than the patience
	Closed    = "closed"     // this process stopped
)

// Limits of sending.
const (
	sendQueue    = 1000 // changes that wait for each address
	sendBatch    = 100  // changes of one message
	sendTime     = 10 * time.Second
	longestPause = 5 * time.Minute
)

// SenderOptions are what a Sender is made of.
type SenderOptions struct {
	// Addresses get each change, and Secret signs the messages; the operator alone says which.
	Addresses []string
	Secret    string
	Version   string // of this program, for User-Agent
	// Patience is how long a message is tried (1 h), and Pause the wait after the first failure (1 s), which doubles.
	Patience, Pause time.Duration
	// Dropped is told of changes that are not sent, and why.
	Dropped func(reason string, changes int64)
	Log     *slog.Logger
}

// Sender tells others of our changes, in the generic form, signed. Nobody waits for it: changes wait in memory, in their order.
type Sender struct {
	o      SenderOptions
	client *http.Client
	ctx    context.Context
	cancel context.CancelFunc
	queues []chan flaghook.Item
	done   sync.WaitGroup
	sent   atomic.Int64
	lost   atomic.Int64
}

// NewSender makes a Sender and starts a goroutine for each address.
func NewSender(o SenderOptions) *Sender {
	if o.Patience <= 0 {
		o.Patience = time.Hour
	}
	if o.Pause <= 0 {
		o.Pause = time.Second
	}
	s := &Sender{o: o, client: &http.Client{Timeout: sendTime, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the operator named an address, not whatever it points to
	}}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for _, address := range o.Addresses {
		q := make(chan flaghook.Item, sendQueue)
		s.queues = append(s.queues, q)
		s.done.Go(func() { s.run(address, q) })
	}
	return s
}

// Add hands changes over; what finds no room is dropped and counted.
func (s *Sender) Add(items []flaghook.Item) {
	for _, q := range s.queues {
		for _, i := range items {
			select {
			case q <- i:
			default:
				s.drop(QueueFull, 1)
			}
		}
	}
}

// Close gives up what waits, and counts it.
func (s *Sender) Close() {
	s.cancel()
	s.done.Wait()
}

// Stats are how many changes were sent, and how many were not.
func (s *Sender) Stats() (sent, dropped int64) { return s.sent.Load(), s.lost.Load() }

func (s *Sender) drop(reason string, n int64) {
	s.lost.Add(n)
	if s.o.Dropped != nil {
		s.o.Dropped(reason, n)
	}
}

func (s *Sender) run(address string, q chan flaghook.Item) {
	for {
		select {
		case <-s.ctx.Done():
			if n := len(q); n > 0 {
				s.drop(Closed, int64(n))
			}
			return
		case first := <-q:
			s.deliver(address, gather(first, q))
		}
	}
}

// gather is what waits together.
func gather(first flaghook.Item, q chan flaghook.Item) []flaghook.Item {
	list := []flaghook.Item{first}
	for len(list) < sendBatch {
		select {
		case i := <-q:
			list = append(list, i)
		default:
			return list
		}
	}
	return list
}

// deliver tries one message until it is taken, refused, or too old.
func (s *Sender) deliver(address string, list []flaghook.Item) {
	n := int64(len(list))
	body, err := flaghook.Write(list)
	if err != nil {
		s.o.Log.Error("cannot tell of changes of switches", "err", err)
		s.drop(Refused, n)
		return
	}
	pause, end := s.o.Pause, time.Now().Add(s.o.Patience)
	for {
		wait, err := s.post(address, body)
		switch {
		case err == nil:
			s.sent.Add(n)
			return
		case errors.Is(err, errRefused):
			s.o.Log.Warn("changes of switches are refused", "address", address, "err", err)
			s.drop(Refused, n)
			return
		case time.Now().After(end):
			s.o.Log.Warn("changes of switches could not be told", "address", address, "err", err)
			s.drop(TimedOut, n)
			return
		}
		timer := time.NewTimer(max(wait, pause))
		pause = min(2*pause, longestPause)
		select {
		case <-s.ctx.Done():
			timer.Stop()
			s.drop(Closed, n)
			return
		case <-timer.C:
		}
	}
}

// errRefused is an answer that no repetition changes.
var errRefused = errors.New("refused for good")

// post sends a message once. wait is what the receiver asks for.
func (s *Sender) post(address string, body []byte) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("cannot send to %s: %w: %w", address, errRefused, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "kibitz/"+s.o.Version)
	if s.o.Secret != "" {
		req.Header.Set("X-Sentry-Signature", flaghook.Sign(s.o.Secret, body))
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("cannot send: %w", err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	switch code := res.StatusCode; {
	case code < 300:
		return 0, nil
	case code == http.StatusTooManyRequests || code >= 500 || code == http.StatusRequestTimeout:
		return retryAfterOf(res), fmt.Errorf("it answers %s", res.Status)
	}
	return 0, fmt.Errorf("%w: it answers %s", errRefused, res.Status)
}

// retryAfterOf is what a receiver asks for, within our longest pause.
func retryAfterOf(res *http.Response) time.Duration {
	n, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, longestPause)
}
