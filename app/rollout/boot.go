package rollout

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"kibitz/app/files"
	"kibitz/app/store"
	"kibitz/app/switches/peers"
)

// secretLen is the length of the secret that a database makes, in bytes.
const secretLen = 32

// Start answers from the last known good, and joins the peers when the secret is known from the settings or that file. It needs no
// database.
func (b *Board) Start() error {
	last, err := b.load()
	if err != nil {
		b.log.Error("starting without the last known switches", "err", err)
	}
	if len(last.Records) > 0 {
		b.receive(last.Records)
		b.heardFrom(FromFile)
		b.state.mu.Lock()
		b.state.savedAt = last.Saved
		b.state.mu.Unlock()
	}
	b.tasks.Go(b.file.run)
	b.tasks.Go(func() { b.recompiles(b.ctx) })
	b.tasks.Go(func() { b.unknowns(b.ctx) })
	b.tasks.Go(func() { b.runs(b.ctx) })
	secret := []byte(b.opts.Secret)
	if len(secret) == 0 {
		secret = last.Secret
		b.setFileSecret(last.Secret)
	}
	if len(secret) == 0 {
		return nil
	}
	return b.join(secret, append(last.Peers, b.opts.Peers...))
}

// join opens the door for peers.
func (b *Board) join(secret []byte, known []string) error {
	if b.opts.Listen == "" {
		return nil
	}
	m, err := peers.Listen(peers.Options{Node: b.opts.Node, Version: b.opts.Version, Listen: b.opts.Listen, Advertise: b.opts.Advertise, Secret: secret,
		Peers: b.opts.Peers, Set: b.set, Log: b.log, Ask: b.ask, Synced: func() { b.heardFrom(FromPeers) },
		Receive: func(records []peers.Record) { b.receive(records) }})
	if err != nil {
		return err
	}
	for _, address := range known {
		m.Learn(address)
	}
	b.state.mu.Lock()
	b.state.secret, b.state.mesh = secret, m
	b.state.mu.Unlock()
	b.file.changed()
	b.openDoor(m, secret)
	return nil
}

// openDoor writes down where the command line finds this process.
func (b *Board) openDoor(m *peers.Mesh, secret []byte) {
	if b.opts.Dir == "" {
		return
	}
	text, err := json.Marshal(Door{m.Address(), secret, b.opts.Node})
	if err == nil {
		err = files.Replace(filepath.Join(b.opts.Dir, doorFile), text)
	}
	if err != nil {
		b.log.Error("commands will not find this process while the database is away", "err", err)
	}
}

func (b *Board) mesh() *peers.Mesh {
	b.state.mu.Lock()
	defer b.state.mu.Unlock()
	return b.state.mesh
}

func (b *Board) secret() []byte {
	b.state.mu.Lock()
	defer b.state.mu.Unlock()
	return b.state.secret
}

func (b *Board) setFileSecret(secret []byte) {
	b.state.mu.Lock()
	defer b.state.mu.Unlock()
	b.state.fileSecret = secret
}

func (b *Board) address() string {
	if m := b.mesh(); m != nil {
		return m.Address()
	}
	return ""
}

func (b *Board) peerAddresses() []string {
	if m := b.mesh(); m != nil {
		return m.Addresses()
	}
	return nil
}

// readSecret takes the secret from the database, unless the settings have one, and joins the peers with it. A file that was written
// with another one belongs to another installation: what came from it is forgotten.
func (b *Board) readSecret(ctx context.Context, s *store.Store) error {
	if b.opts.Secret != "" {
		return nil
	}
	fresh := make([]byte, secretLen)
	rand.Read(fresh) // never fails (crypto/rand)
	secret, err := s.SwitchSecret(ctx, fresh)
	if err != nil || bytes.Equal(secret, b.secret()) {
		return err
	}
	b.state.mu.Lock()
	foreign, m := len(b.state.fileSecret) > 0 && !bytes.Equal(b.state.fileSecret, secret), b.state.mesh
	b.state.secret, b.state.mesh, b.state.fileSecret = secret, nil, nil
	b.state.mu.Unlock()
	if m != nil {
		m.Close()
	}
	if foreign {
		b.log.Warn("the file of the last known switches is of another installation; it is forgotten")
		b.forget()
	}
	if err := b.join(secret, nil); err != nil {
		return fmt.Errorf("cannot join the other processes: %w", err)
	}
	return nil
}

// forget empties the board.
func (b *Board) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set.Clear()
	for env, v := range b.views {
		fresh := newView(env)
		fresh.holder, fresh.watchers = v.holder, v.watchers
		b.views[env] = fresh
		fresh.compile(0, b.opts.Now())
	}
}

func (b *Board) ask(ctx context.Context, op string, body json.RawMessage) (json.RawMessage, int, string) {
	if b.opts.Ask == nil {
		return nil, 404, "This process takes no commands."
	}
	return b.opts.Ask(ctx, op, body)
}

// delivery is what the peers say of a change; nil where there is no mesh.
type delivery struct{ of *peers.Delivery }

func (b *Board) send(records []peers.Record) delivery {
	if m := b.mesh(); m != nil {
		return delivery{m.Publish(records)}
	}
	return delivery{}
}

func (d delivery) wait(ctx context.Context, most time.Duration) (told, of int, slowest time.Duration) {
	if d.of == nil {
		return 0, 0, 0
	}
	return d.of.Wait(ctx, most)
}

// closeWait is how long an end waits for a database that does not answer.
const closeWait = 2 * time.Second

// Close stores what waits, as far as the database takes it at once, writes the file and leaves the peers.
func (b *Board) Close(ctx context.Context) {
	if s := b.rows(); s != nil {
		ctx, cancel := context.WithTimeout(ctx, closeWait)
		defer cancel()
		b.writer.flush(ctx)
		if err := s.LeaveSwitches(ctx, b.opts.Node); err != nil {
			b.log.Debug("cannot leave the list of processes", "err", err)
		}
	}
	b.cancel()
	if m := b.mesh(); m != nil {
		m.Close()
		b.closeDoor()
	}
	b.tasks.Wait()
}

func (b *Board) closeDoor() {
	if b.opts.Dir == "" {
		return
	}
	if err := os.Remove(filepath.Join(b.opts.Dir, doorFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.log.Warn("cannot take the door of switches away", "err", err)
	}
}

// recompiles publishes anew when the time changes an answer: dates, schedules, overrides that expire.
func (b *Board) recompiles(ctx context.Context) {
	for tick := time.NewTicker(recompileEvery); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			b.recompile(b.opts.Now())
		}
	}
}

// recompileEvery is how exact dates are.
const recompileEvery = 200 * time.Millisecond

func (b *Board) recompile(now time.Time) {
	b.mu.RLock()
	due := false
	for _, v := range b.views {
		due = due || v.due(now)
	}
	b.mu.RUnlock()
	if !due {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range b.views {
		if v.due(now) {
			v.compile(b.set.Revision(), now)
			v.tell(b.set.Revision())
		}
	}
}

func (v *view) due(now time.Time) bool {
	next := v.holder.Snapshot().Next()
	return !next.IsZero() && !now.Before(next)
}
