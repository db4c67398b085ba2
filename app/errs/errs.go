// Package errs names the kinds of errors once, and maps a kind to an HTTP status in one table.
// A kind travels inside ordinary wrapped errors; the text given to New may be shown to a visitor,
// everything wrapped around it may not.
package errs

import (
	"errors"
	"fmt"
	"net/http"
)

// Kind says what sort of failure an error is, and so how it is answered.
type Kind int

// The kinds, from the least to the most specific answer.
const (
	Internal Kind = iota
	Invalid
	Unauthorized
	Forbidden
	NotFound
	MethodNotAllowed
	Conflict
	TooLarge
	Unsupported
	Unprocessable
	Limited
	Unavailable
)

// kinds is the only place where a kind meets a status and a sentence.
var kinds = map[Kind]struct {
	status int
	text   string
}{
	Internal:         {http.StatusInternalServerError, "Something failed on our side."},
	Invalid:          {http.StatusBadRequest, "The request could not be understood."},
	Unauthorized:     {http.StatusUnauthorized, "Sign in first."},
	Forbidden:        {http.StatusForbidden, "You may not do this."},
	NotFound:         {http.StatusNotFound, "There is nothing here."},
	MethodNotAllowed: {http.StatusMethodNotAllowed, "This address does not take that method."},
	Conflict:         {http.StatusConflict, "Someone else changed this first."},
	TooLarge:         {http.StatusRequestEntityTooLarge, "That is too large."},
	Unsupported:      {http.StatusUnsupportedMediaType, "That encoding or type is not supported."},
	Unprocessable:    {http.StatusUnprocessableEntity, "Something in the form needs another look."},
	Limited:          {http.StatusTooManyRequests, "Too many requests. Try again in a moment."},
	Unavailable:      {http.StatusServiceUnavailable, "The database cannot be reached. Try again in a moment."},
}

// Error is an error with a kind and a message fit for a visitor.
type Error struct {
	Kind    Kind
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// New makes an error of a kind; its text may be shown to a visitor.
func New(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Of is the kind of err: the one given to New, or Internal.
func Of(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Status is the HTTP status that answers err.
func Status(err error) int { return kinds[Of(err)].status }

// Message is what a visitor may read about err: the text given to New, or the sentence of its kind.
func Message(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return kinds[Of(err)].text
}

// OfStatus is the kind that an HTTP status stands for; Internal when none does.
func OfStatus(status int) Kind {
	for kind, row := range kinds {
		if row.status == status {
			return kind
		}
	}
	return Internal
}

// Wrap adds context to *err when it is not nil: `defer errs.Wrap(&err, "cannot load project %d", id)`.
func Wrap(err *error, format string, args ...any) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), *err)
	}
}
