package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kibitz/app/rollout"
	"kibitz/app/switches"
)

// The shop's switches. With demoTotals on most checkouts fail: the guard finds that out and turns it off while somebody looks.
const (
	demoSticky = "cart.one_courier"
	demoTotals = "checkout.new_totals"
)

// shopSwitch answers a switch of the shop for one of its people.
type shopSwitch func(key, user string) bool

// demoSwitches makes the shop's switches where they are missing, and answers them.
func (s *server) demoSwitches(ctx context.Context) (shopSwitch, error) {
	for _, sw := range shopSwitches(time.Now()) {
		_, err := s.Board.Save(ctx, rollout.Edit{Env: rollout.Production, Switch: sw, By: rollout.By{Name: sw.Owner, Kind: "person"}, Why: "with shop@4.18.0"})
		var there *rollout.Conflict
		if err != nil && !errors.As(err, &there) {
			return nil, fmt.Errorf("cannot make the demo's switch %s: %w", sw.Key, err)
		}
	}
	holder := s.Board.Holder(rollout.Production)
	return func(key, user string) bool { return holder.On(key, &switches.Subject{ID: user}) }, nil
}

// shopSwitches are what the shop tries out.
func shopSwitches(now time.Time) []switches.Switch {
	removal := now.AddDate(0, 2, 0).Format(time.DateOnly)
	staff := switches.Set{Name: "Staff and testers", Rollout: switches.Rollout{Percent: 100},
		When: switches.When{{{Attribute: "user", Op: switches.Is, Values: []string{"17", "42", "1009"}}}, {{Attribute: "ip", Op: switches.In, Values: []string{"10.20.0.0/16"}}}}}
	return []switches.Switch{
		{Key: demoTotals, Description: "Tax from the customer profile, not the address", Owner: "Priya Nair", Project: "tealeaf-shop", RemoveBy: removal,
			State: switches.Partial, Sets: []switches.Set{staff}, Everyone: switches.Rollout{Percent: 25}},
		{Key: demoSticky, Description: "Courier prices from one courier", Owner: "Tomasz Wren", Project: "tealeaf-shop", RemoveBy: removal,
			State: switches.Partial, Everyone: switches.Rollout{Percent: 25}},
		{Key: "digest.weekly", Description: "One mail a week in place of seven", Owner: "Ines Okafor", Project: "tealeaf-shop", State: switches.Partial,
			Sets: []switches.Set{{Name: "New Zealand", When: switches.When{{{Attribute: "country", Op: switches.Is, Values: []string{"NZ"}}}}, Rollout: switches.Rollout{Percent: 50}}},
			Labs: &switches.Labs{Title: "A digest by the week", Text: "One mail on Mondays in place of one a day."}},
		{Key: "search.semantic", Description: "Rank by meaning, then by words", Owner: "Jonas Ek", Project: "tealeaf-shop", State: switches.Off},
	}
}
