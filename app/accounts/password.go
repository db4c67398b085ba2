package accounts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"

	"kibitz/app/errs"
)

// Cost of a password's hash: OWASP's minimum for argon2id, 46 ms on the reference machine.
const (
	argonMemory  = 19456 // KiB
	argonTime    = 2
	argonThreads = 1
	saltBytes    = 16
	hashBytes    = 32
)

// dummyHash is compared with when an address is unknown, so that an answer takes as long as for a known one. It
// is no password's hash: its bytes count up.
const dummyHash = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

// maxHashWaiters bounds those who wait for their turn to hash: 64 on two cores is a second and a half.
const maxHashWaiters = 64

// hasher lets as many hashes run at once as there are cores: each takes 19 MiB and a core for its time, so that
// without it a hundred sign-ins at once would take 2 GB.
type hasher struct {
	slots   chan struct{}
	waiting atomic.Int64
}

func newHasher() *hasher { return &hasher{slots: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// enter waits for a turn; leave ends it.
func (h *hasher) enter(ctx context.Context) error {
	if h.waiting.Add(1) > maxHashWaiters {
		h.waiting.Add(-1)
		return errs.New(errs.Limited, "Too many people sign in at this moment (limit hash_waiters, %d). Try again in a few seconds.", maxHashWaiters)
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *hasher) leave() { <-h.slots }

// hash is a password's PHC string (https://github.com/P-H-C/phc-string-format).
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", fmt.Errorf("cannot hash a password: %w", err)
	}
	defer h.leave()
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	p := phc{memory: argonMemory, time: argonTime, threads: argonThreads, salt: salt}
	p.hash = p.derive(password, hashBytes)
	return p.String(), nil
}

// verify tells whether a password is the one of a PHC string, and whether the string is of another cost than today's.
func (h *hasher) verify(ctx context.Context, password, text string) (ok, stale bool, err error) {
	p, err := parsePHC(text)
	if err != nil {
		return false, false, err
	}
	if err := h.enter(ctx); err != nil {
		return false, false, fmt.Errorf("cannot check a password: %w", err)
	}
	defer h.leave()
	ok = subtle.ConstantTimeCompare(p.derive(password, uint32(len(p.hash))), p.hash) == 1
	stale = p.memory != argonMemory || p.time != argonTime || p.threads != argonThreads || len(p.hash) != hashBytes
	return ok, stale, nil
}

// phc is the parts of $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
type phc struct {
	memory, time uint32
	threads      uint8
	salt, hash   []byte
}

// Bounds of what a string may ask for, so that a tampered row cannot take all memory or hang.
const (
	maxArgonMemory = 1 << 20 // KiB
	maxArgonTime   = 20
)

func parsePHC(text string) (p phc, err error) {
	parts := strings.Split(text, "$")
	wrong := fmt.Errorf("cannot read a password hash: not $argon2id$v=19$m=,t=,p=$salt$hash")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return p, wrong
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return p, wrong
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	hash, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(hash) < 16 || len(hash) > 64 {
		return p, wrong
	}
	if p.memory < 8 || p.memory > maxArgonMemory || p.time < 1 || p.time > maxArgonTime || p.threads < 1 {
		return p, wrong
	}
	p.salt, p.hash = salt, hash
	return p, nil
}

func (p phc) derive(password string, n uint32) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, n)
}

// String is the PHC string.
func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", p.memory, p.time, p.threads, b64.EncodeToString(p.salt), b64.EncodeToString(p.hash))
}
