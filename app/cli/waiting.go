package cli

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"kibitz/app/accounts"
	"kibitz/app/rollout"
	"kibitz/app/web"
)

// waiting answers switches over HTTP while a start waits for its database.
type waiting struct {
	lent *lentListener
	web  *web.Server
	done chan struct{}
}

// startWaiting begins to answer on the address that the whole server will have; nil when there is nothing to answer with.
func (p *Program) startWaiting() *waiting {
	if p.listener == nil || p.Board == nil || p.Board.Health().Source == rollout.FromNothing {
		return nil
	}
	gate := accounts.NewGate(nil, p.log)
	gate.Remember(gateFile(p.config.Data))
	// Addresses of streams end with this server: clients ask for another when it is gone.
	key := make([]byte, 32)
	rand.Read(key) // never fails
	w, err := web.NewWaiting(web.WaitingOptions{Doors: p.doors(gate, key), TrustedProxies: p.config.TrustedProxies, Log: p.log})
	if err != nil {
		p.log.Error("cannot answer switches until the database is there", "err", err)
		return nil
	}
	out := &waiting{lent: &lentListener{Listener: p.listener}, web: w, done: make(chan struct{})}
	go func() {
		defer close(out.done)
		if err := w.Serve(out.lent); err != nil {
			p.log.Error("cannot answer switches until the database is there", "err", err)
		}
	}()
	p.log.Info("switches are answered while the database is away", "source", p.Board.Health().Source, "revision", p.Board.Revision())
	return out
}

// end gives the address back.
func (w *waiting) end() {
	if w == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = w.web.Shutdown(ctx) // what is not done within a second is cut
	<-w.done
	w.lent.giveBack()
}

// gateFile is where the tokens that were known last are kept.
func gateFile(data string) string { return filepath.Join(switchDir(data), "tokens.json") }

// lentListener is a listener whose Close ends Accept, and leaves the address taken: connections that come meanwhile wait.
type lentListener struct {
	net.Listener
	closed atomic.Bool
}

// deadliner is what TCP listeners can do.
type deadliner interface{ SetDeadline(t time.Time) error }

func (l *lentListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if l.closed.Load() {
		if err == nil {
			c.Close()
		}
		return nil, io.EOF // which fasthttp takes for the end
	}
	return c, err
}

func (l *lentListener) Close() error {
	l.closed.Store(true)
	if d, ok := l.Listener.(deadliner); ok {
		return d.SetDeadline(time.Unix(1, 0))
	}
	return nil
}

func (l *lentListener) giveBack() {
	if d, ok := l.Listener.(deadliner); ok {
		_ = d.SetDeadline(time.Time{})
	}
}
