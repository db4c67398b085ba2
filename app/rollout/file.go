package rollout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"kibitz/app/files"
	"kibitz/app/switches/peers"
)

const (
	lastFile = "last.json" // the last known good
	doorFile = "door.json" // where the command line finds this process
	// saveAfter is how long after a change the file is written: a hundred clicks are one write.
	saveAfter = 500 * time.Millisecond
	// saveShare keeps writing to a small part of the time when there are many switches.
	saveShare = 20
)

// lastGood is all that a process needs to answer without a database or peers.
type lastGood struct {
	Saved    time.Time      `json:"saved"`
	Revision int64          `json:"revision"`
	Secret   []byte         `json:"secret"`
	Peers    []string       `json:"peers"`
	Records  []peers.Record `json:"records"`
}

// saver writes the last known good behind the changes.
type saver struct {
	board *Board
	kick  chan struct{}
	mu    sync.Mutex
	err   string
}

func newSaver(b *Board) *saver { return &saver{board: b, kick: make(chan struct{}, 1)} }

func (s *saver) changed() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func (s *saver) failure() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// run writes until the board closes, and a last time then.
func (s *saver) run() {
	for {
		select {
		case <-s.board.ctx.Done():
			s.save()
			return
		case <-s.kick:
		}
		began := time.Now()
		s.sleep(saveAfter)
		select {
		case <-s.kick: // what changed meanwhile is written now
		default:
		}
		s.save()
		s.sleep(saveShare * (time.Since(began) - saveAfter))
	}
}

func (s *saver) sleep(d time.Duration) {
	select {
	case <-s.board.ctx.Done():
	case <-time.After(d):
	}
}

// save writes the file; what fails is tried again with the next change, and shown.
func (s *saver) save() {
	b := s.board
	if b.opts.Dir == "" {
		return
	}
	text, err := json.Marshal(lastGood{b.opts.Now().UTC(), b.set.Revision(), b.secret(), b.peerAddresses(), b.set.All()})
	if err == nil {
		err = files.Replace(filepath.Join(b.opts.Dir, lastFile), text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if was := s.err; err != nil {
		if s.err = err.Error(); was == "" {
			b.log.Error("cannot keep the switches for a start without the database", "err", err)
		}
		return
	}
	s.err = ""
}

// maxFile is the size of a last known good that is read.
const maxFile = 1 << 30

// load reads the last known good into memory. A file that is damaged is left aside and said so: it is a fallback.
func (b *Board) load() (lastGood, error) {
	var last lastGood
	if b.opts.Dir == "" {
		return last, nil
	}
	name := filepath.Join(b.opts.Dir, lastFile)
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil
	}
	if err == nil && info.Size() > maxFile {
		err = errors.New("it is too large")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(name)
	}
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	if err != nil {
		return lastGood{}, fmt.Errorf("cannot read %s: %w", lastFile, err)
	}
	return last, nil
}

// Door is where and how the command line reaches a process.
type Door struct {
	Address string `json:"address"`
	Secret  []byte `json:"secret"`
	Node    string `json:"node"`
}

// ReadDoor finds the process whose data directory dir is; fs.ErrNotExist when none runs or ran.
func ReadDoor(dir string) (d Door, err error) {
	text, err := os.ReadFile(filepath.Join(dir, doorFile))
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		return d, fmt.Errorf("cannot read %s: %w", doorFile, err)
	}
	return d, nil
}
