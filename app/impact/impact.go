// Package impact knows what a switch does to people: requests, failures, durations and queries by its answers, the guard that
// holds and kills what does harm, the switches that an issue may come of, and those that nobody needs any more.
package impact

import (
	"context"
	"log/slog"
	"time"

	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/switches"
)

// Options are what the use cases connect. Functions that are nil are not there: without Kill the guard only says what it would
// have done.
type Options struct {
	Store *store.Store
	IDs   *model.IDs
	Log   *slog.Logger
	// Environments are those whose switches are watched, production first.
	Environments func() []string
	// Switches are those of an environment, as they are in force.
	Switches func(env string) []switches.Switch
	// Kill turns a switch off for everyone, in the guard's name.
	Kill func(ctx context.Context, env, key, why string) error
	// Flips are the changes of an environment's switches in a stretch of time, oldest first.
	Flips func(ctx context.Context, env string, from, to time.Time) ([]model.Flip, error)
	// Alert tells people of a decision.
	Alert func(ctx context.Context, a Alert) error
	// Changed is when each switch of an environment was changed last.
	Changed func(env string) map[string]time.Time
	// Callers are lines of code that asked for keys, as file:line by key.
	Callers func(env string) map[string]string
}

// Impact are the use cases.
type Impact struct {
	Options
	asks   asks
	guards guards
	lately lately
}

// New makes the use cases.
func New(o Options) *Impact { return &Impact{Options: o} }
