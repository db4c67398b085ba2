package model

import "time"

// FlagChange is a change of a feature flag: one that a provider told of, or one of our own switches.
type FlagChange struct {
	ID       int64
	Provider string // kibitz for our own
	ChangeID int64  // the provider's number of it
	Flag     string
	Action   string // created, updated, deleted
	By       string // "" nobody was named
	ByType   string // email, id, name
	At       time.Time
	Tags     map[string]string // environment and what was done, of our own
}

// FlagQuery asks for changes of flags, newest first.
type FlagQuery struct {
	Flags    []string  // none: all
	From, To time.Time // from and before
	BeforeID int64     // with To: of those at that very moment the ones with smaller ids; 0 none
	Limit    int
}

// FlagSecret signs the messages of a provider.
type FlagSecret struct {
	Provider  string
	Secret    string
	CreatedAt time.Time
}
