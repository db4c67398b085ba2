// Package flaghook reads what providers of feature flags say of changes, in the forms that Sentry takes them, and writes our
// own changes in the same form (pure).
package flaghook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
	"unicode/utf8"

	"kibitz/app/errs"
)

// Provider is who says that a flag was changed.
type Provider string

// The providers whose forms are known.
const (
	Generic      Provider = "generic"
	LaunchDarkly Provider = "launchdarkly"
	Unleash      Provider = "unleash"
	Statsig      Provider = "statsig"
	Flagsmith    Provider = "flagsmith" // sends the generic form
)

// Providers are all of them, as an address names them.
var Providers = []Provider{Generic, LaunchDarkly, Unleash, Statsig, Flagsmith}

// Limits of a message; what Sentry says of its own form.
const (
	MaxBody  = 256 << 10
	MaxItems = 1000
	MaxFlag  = 100 // characters of a flag, and of who changed it
)

// Action is what was done to a flag.
type Action string

// The actions.
const (
	Created Action = "created"
	Updated Action = "updated"
	Deleted Action = "deleted"
)

// ByType is how somebody is named.
type ByType string

// The kinds of names.
const (
	ByEmail ByType = "email"
	ByID    ByType = "id"
	ByName  ByType = "name"
)

// Item is one change of one flag.
type Item struct {
	ID     int64 // the provider's own, by which a change that is sent twice counts once
	Action Action
	Flag   string
	By     string // "" nobody was named
	ByType ByType
	At     time.Time
}

// Headers are those that carry signatures.
type Headers struct {
	Sentry       string // X-Sentry-Signature
	LaunchDarkly string // X-LD-Signature
	Statsig      string // X-Statsig-Signature
	StatsigTime  string // X-Statsig-Request-Timestamp
	Auth         string // Authorization
}

// Sign is the signature of a body in hex: HMAC-SHA256.
func Sign(secret string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// Signed tells whether a message is signed with one of some secrets, in the way of its provider.
func Signed(p Provider, secrets []string, h Headers, body []byte) bool {
	ok := false
	for _, secret := range secrets {
		want, got := Sign(secret, body), h.Sentry
		switch p {
		case LaunchDarkly:
			got = h.LaunchDarkly
		case Unleash:
			want, got = secret, strings.TrimPrefix(h.Auth, "Bearer ")
		case Statsig:
			text := append([]byte("v0:"+h.StatsigTime+":"), body...)
			want, got = "v0="+Sign(secret, text), h.Statsig
		}
		// All are compared, so that time tells nothing of which fits.
		if len(secret) > 0 && subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1 {
			ok = true
		}
	}
	return ok
}

// Parse reads a message. Its errors are errs.Invalid and say which field is wrong: nothing of a message is taken then.
func Parse(p Provider, body []byte) ([]Item, error) {
	switch p {
	case LaunchDarkly:
		return launchDarkly(body)
	case Unleash:
		return unleash(body)
	case Statsig:
		return statsig(body)
	}
	return generic(body)
}

func invalid(format string, args ...any) error { return errs.New(errs.Invalid, format, args...) }

func read(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return invalid("The message is no JSON of the form that this address takes: %s.", short(err.Error()))
	}
	return nil
}

func short(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "")
	}
	return s
}

// generic is Sentry's own form.
func generic(body []byte) ([]Item, error) {
	var m struct {
		Data []struct {
			Action    Action `json:"action"`
			ChangeID  *int64 `json:"change_id"`
			CreatedAt string `json:"created_at"`
			CreatedBy *struct {
				ID   string `json:"id"`
				Type ByType `json:"type"`
			} `json:"created_by"`
			Flag string `json:"flag"`
		} `json:"data"`
		Meta struct {
			Version int `json:"version"`
		} `json:"meta"`
	}
	if err := read(body, &m); err != nil {
		return nil, err
	}
	if m.Meta.Version != 1 {
		return nil, invalid("meta.version is %d; only 1 is known.", m.Meta.Version)
	}
	if len(m.Data) > MaxItems {
		return nil, invalid("data has %d changes; send at most %d at once (limit flag_changes).", len(m.Data), MaxItems)
	}
	var list []Item
	for i, d := range m.Data {
		if d.ChangeID == nil {
			return nil, invalid("data[%d].change_id is missing; it is the number by which a change counts once.", i)
		}
		at, err := time.Parse(time.RFC3339, d.CreatedAt)
		if err != nil {
			return nil, invalid("data[%d].created_at is no moment of ISO 8601 with its zone: %q.", i, short(d.CreatedAt))
		}
		item := Item{ID: *d.ChangeID, Action: d.Action, Flag: d.Flag, At: at}
		if d.CreatedBy != nil {
			item.By, item.ByType = d.CreatedBy.ID, d.CreatedBy.Type
		}
		if err := item.check(fmt.Sprintf("data[%d]", i)); err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

// check holds an item within the limits of the generic form.
func (i *Item) check(where string) error {
	switch {
	case i.Flag == "" || utf8.RuneCountInString(i.Flag) > MaxFlag || !utf8.ValidString(i.Flag):
		return invalid("%s.flag has to have 1 to %d characters.", where, MaxFlag)
	case utf8.RuneCountInString(i.By) > MaxFlag:
		return invalid("%s.created_by.id has more than %d characters.", where, MaxFlag)
	case i.Action != Created && i.Action != Updated && i.Action != Deleted:
		return invalid("%s.action is %q; it is created, updated or deleted.", where, short(string(i.Action)))
	case i.By != "" && i.ByType != ByEmail && i.ByType != ByID && i.ByType != ByName:
		return invalid("%s.created_by.type is %q; it is email, id or name.", where, short(string(i.ByType)))
	}
	return nil
}

// launchDarkly is an entry of its audit log.
func launchDarkly(body []byte) ([]Item, error) {
	var m struct {
		ID       string `json:"_id"`
		Date     int64  `json:"date"` // milliseconds
		Kind     string `json:"kind"`
		Name     string `json:"name"`
		Accesses []struct {
			Action string `json:"action"`
		} `json:"accesses"`
		Member struct {
			ID    string `json:"_id"`
			Email string `json:"email"`
		} `json:"member"`
		Target struct {
			Resources []string `json:"resources"`
		} `json:"target"`
	}
	if err := read(body, &m); err != nil {
		return nil, err
	}
	if m.Kind != "" && m.Kind != "flag" {
		return nil, nil // environments, projects, members: nothing of ours
	}
	action := Updated
	for _, a := range m.Accesses {
		switch a.Action {
		case "createFlag", "cloneFlag":
			action = Created
		case "deleteFlag":
			action = Deleted
		}
	}
	item := Item{ID: numberOf(m.ID + "|" + m.Name), Action: action, Flag: m.Name, At: time.UnixMilli(m.Date).UTC()}
	for _, r := range m.Target.Resources {
		if _, key, ok := strings.Cut(r, ":flag/"); ok {
			item.Flag, _, _ = strings.Cut(key, ";")
		}
	}
	item.named(m.Member.Email, m.Member.ID, "")
	return one(item)
}

// unleash is one of its events, as its webhook add-on sends them.
func unleash(body []byte) ([]Item, error) {
	var m struct {
		ID          int64  `json:"id"`
		Type        string `json:"type"`
		CreatedAt   string `json:"createdAt"`
		CreatedBy   string `json:"createdBy"`
		CreatedByID int64  `json:"createdByUserId"`
		Feature     string `json:"featureName"`
	}
	if err := read(body, &m); err != nil {
		return nil, err
	}
	if m.Feature == "" || !strings.HasPrefix(m.Type, "feature-") {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, m.CreatedAt)
	if err != nil {
		return nil, invalid("createdAt is no moment: %q.", short(m.CreatedAt))
	}
	item := Item{ID: m.ID, Action: Updated, Flag: m.Feature, At: at}
	switch m.Type {
	case "feature-created":
		item.Action = Created
	case "feature-deleted", "feature-archived":
		item.Action = Deleted
	}
	item.named("", "", m.CreatedBy)
	if strings.Contains(m.CreatedBy, "@") {
		item.ByType = ByEmail
	}
	return one(item)
}

// statsig is a batch of its events.
func statsig(body []byte) ([]Item, error) {
	var m struct {
		Data []struct {
			EventName string `json:"eventName"`
			Timestamp int64  `json:"timestamp"` // milliseconds
			User      struct {
				Email string `json:"email"`
				Name  string `json:"name"`
			} `json:"user"`
			UserID   string `json:"userID"`
			Metadata struct {
				Type   string `json:"type"`
				Name   string `json:"name"`
				Action string `json:"action"`
			} `json:"metadata"`
		} `json:"data"`
	}
	if err := read(body, &m); err != nil {
		return nil, err
	}
	if len(m.Data) > MaxItems {
		return nil, invalid("data has %d changes; send at most %d at once (limit flag_changes).", len(m.Data), MaxItems)
	}
	var list []Item
	for _, d := range m.Data {
		if d.EventName != "statsig::config_change" || d.Metadata.Type != "Gate" {
			continue
		}
		item := Item{Action: Updated, Flag: d.Metadata.Name, At: time.UnixMilli(d.Timestamp).UTC()}
		switch d.Metadata.Action {
		case "created":
			item.Action = Created
		case "deleted":
			item.Action = Deleted
		}
		item.ID = numberOf(fmt.Sprint(d.Timestamp, "|", d.Metadata.Name, "|", d.Metadata.Action))
		item.named(d.User.Email, d.UserID, d.User.Name)
		if err := item.check("data"); err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

// named is who did it, by the best name there is.
func (i *Item) named(email, id, name string) {
	switch {
	case email != "":
		i.By, i.ByType = email, ByEmail
	case name != "":
		i.By, i.ByType = name, ByName
	case id != "":
		i.By, i.ByType = id, ByID
	}
}

func one(i Item) ([]Item, error) {
	if err := i.check("the message"); err != nil {
		return nil, err
	}
	return []Item{i}, nil
}

// numberOf is a change's number where its provider has none: of what makes it unlike others.
func numberOf(text string) int64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return int64(h.Sum64() >> 1)
}

// Write is our own changes in the generic form.
func Write(list []Item) ([]byte, error) {
	type by struct {
		ID   string `json:"id"`
		Type ByType `json:"type"`
	}
	type data struct {
		Action    Action `json:"action"`
		ChangeID  int64  `json:"change_id"`
		CreatedAt string `json:"created_at"`
		CreatedBy *by    `json:"created_by,omitempty"`
		Flag      string `json:"flag"`
	}
	out := struct {
		Data []data         `json:"data"`
		Meta map[string]int `json:"meta"`
	}{Meta: map[string]int{"version": 1}}
	for _, i := range list {
		d := data{i.Action, i.ID, i.At.UTC().Format(time.RFC3339Nano), nil, clip(i.Flag)}
		if i.By != "" {
			d.CreatedBy = &by{clip(i.By), i.ByType}
		}
		out.Data = append(out.Data, d)
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("cannot write changes of flags: %w", err)
	}
	return b, nil
}

// clip keeps a text within what receivers take.
func clip(s string) string {
	if utf8.RuneCountInString(s) <= MaxFlag {
		return s
	}
	return string([]rune(s)[:MaxFlag])
}
