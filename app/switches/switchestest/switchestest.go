// Package switchestest lets tests decide what switches answer.
package switchestest

import (
	"context"
	"testing"

	"kibitz/app/switches"
)

// Force lets a switch of a Holder, existing or not, answer a variant ("on", "off", or one of its own) to everybody until the test
// ends. It stands above everything, a kill included. A request that has asked something already keeps its answers.
func Force(t testing.TB, h *switches.Holder, key, variant string) {
	t.Helper()
	t.Cleanup(h.Force(key, variant))
}

// Context is a context whose switches answer these variants, by key; all others are off.
func Context(t testing.TB, answers map[string]string) context.Context {
	t.Helper()
	h := switches.NewHolder("test")
	for key, variant := range answers {
		Force(t, h, key, variant)
	}
	return switches.With(t.Context(), h, switches.Subject{ID: "test"})
}
