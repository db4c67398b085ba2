package accounts

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"errors"

	"kibitz/app/files"
)

// keptToken is a living token in the file: its hash, never its text.
type keptToken struct {
	Hash    []byte    `json:"hash"`
	ID      int64     `json:"id"`
	Scopes  []string  `json:"scopes"`
	Expires time.Time `json:"expires,omitzero"`
}

// Remember keeps what the gate reads in a file, and takes over what is in it: so that programs are let in after a start while the
// database is away. A token that was revoked since is let in until the database can be read. Call it before Run.
func (g *Gate) Remember(name string) {
	g.file = name
	list, err := readKept(name)
	if err != nil {
		g.log.Warn("cannot read the tokens that were known last", "err", err)
	}
	if list != nil {
		g.known.CompareAndSwap(nil, list)
	}
}

// maxKept is the size of a file that is read: some 100,000 tokens.
const maxKept = 32 << 20

func readKept(name string) (*gateList, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || info.Size() > maxKept {
		return nil, fmt.Errorf("cannot read %s of %d bytes: %w", info.Name(), info.Size(), cmp.Or(err, fs.ErrInvalid))
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read tokens: %w", err)
	}
	var kept []keptToken
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, fmt.Errorf("cannot read tokens: %w", err)
	}
	list := newGateList(len(kept))
	for _, t := range kept {
		if len(t.Hash) == sha256.Size {
			list.add([sha256.Size]byte(t.Hash), gateToken{Grant: Grant{t.ID, t.Scopes, t.Expires}})
		}
	}
	return list, nil
}

// keep writes the file when it would change; the caller holds g.read. Without it all goes on: it is for the next start.
func (g *Gate) keep(list *gateList) {
	if g.file == "" {
		return
	}
	kept := make([]keptToken, 0, len(list.tokens))
	for hash, t := range list.tokens {
		kept = append(kept, keptToken{hash[:], t.ID, t.Scopes, t.Expires})
	}
	slices.SortFunc(kept, func(a, b keptToken) int { return cmp.Compare(a.ID, b.ID) })
	text, err := json.Marshal(kept)
	if err != nil || bytes.Equal(text, g.written) {
		return
	}
	if err := files.Replace(g.file, text); err != nil {
		g.log.Warn("cannot keep the tokens of switches for a start without the database", "err", err)
		return
	}
	g.written = text
}
