package model

import "time"

// Role is what an account may do. Each role may do all that later ones may.
type Role string

// The roles, strongest first.
const (
	Owner     Role = "owner"
	Admin     Role = "admin"
	Moderator Role = "moderator"
	Member    Role = "member"
	Viewer    Role = "viewer"
)

// Account is a person who can sign in.
type Account struct {
	ID        int64
	Email     string
	Name      string
	Role      Role
	CreatedAt time.Time
	Disabled  bool
}

// Session is one signed-in browser. The database holds only the SHA-256 of its token.
type Session struct {
	Account  Account
	Created  time.Time
	LastSeen time.Time
	Expires  time.Time
	// CSRF is the token that forms of this session must carry, derived from the session.
	CSRF string
}

// APIToken is a Bearer token for scripts. Its text is shown once, when it is made.
type APIToken struct {
	ID        int64
	AccountID int64
	Name      string
	Prefix    string // the first characters, to recognise it by
	Scopes    []string
	CreatedAt time.Time
	LastUsed  time.Time
	Expires   time.Time // zero: never
}

// LivingToken is a token that is neither revoked nor expired, by its hash, with the role of its account ("" for one of the
// installation).
type LivingToken struct {
	Hash      []byte // SHA-256 of its text
	ID        int64
	AccountID int64
	Role      Role
	Scopes    []string
	LastUsed  time.Time
	Expires   time.Time // zero: never
}
