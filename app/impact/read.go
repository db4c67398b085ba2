package impact

import (
	"context"
	"time"

	"kibitz/app/model"
)

// Rows gives what requests of the last stretch of time tell of every switch of an environment that they name: one statement.
func (i *Impact) Rows(ctx context.Context, env string, since time.Duration) (map[string]SwitchImpact, error) {
	return nil, nil
}

// Series gives what requests between two moments tell of a switch, by answer and bucket.
func (i *Impact) Series(ctx context.Context, env, key string, from, to time.Time) ([]VariantSeries, error) {
	return nil, nil
}

// People estimates how many different people asked for a switch in the last stretch of time: those it would reach at 100 %.
func (i *Impact) People(ctx context.Context, env, key string, last time.Duration) (Estimate, error) {
	return Estimate{}, nil
}

// Guard is what the guard of a switch knows.
func (i *Impact) Guard(env, key string) GuardView { return GuardView{} }

// Decisions are what the guard of a switch did, newest first; of all switches when key is "".
func (i *Impact) Decisions(ctx context.Context, env, key string) ([]Decision, error) { return nil, nil }

// RampReady tells whether a ramp may take its next step: at least so many subjects were exposed since its step began, and the
// guard is content. why says what it waits for.
func (i *Impact) RampReady(ctx context.Context, env, key string, since time.Time, subjects int64) (ready bool, why string, err error) {
	return false, "", nil
}

// Suspects are the answers of switches with which an issue's events are commoner, likeliest first.
func (i *Impact) Suspects(ctx context.Context, issue int64) ([]Suspect, error) { return nil, nil }

// Stale are the switches of an environment that may be removed.
func (i *Impact) Stale(ctx context.Context, env string, now time.Time) ([]StaleSwitch, error) {
	return nil, nil
}

// Flips are changes of switches between two moments, oldest first: marks for charts.
func (i *Impact) FlipsBetween(ctx context.Context, env string, from, to time.Time) ([]model.Flip, error) {
	return nil, nil
}

// Ask counts answers given in process: n times the variant.
func (i *Impact) Ask(env, key, variant string, n int64) {}

// Run counts what was asked, and watches, until ctx ends.
func (i *Impact) Run(ctx context.Context) {}

type guards struct{}

func wilson(failed, n, seen float64) Band { return Band{} }
