package impact

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"kibitz/app/switches"
)

// answerOf cuts a label into a switch and its answer. SDKs of Sentry say true and false where we say on and off.
func answerOf(label string) (key, variant string) {
	key, variant, _ = strings.Cut(label, "=")
	return key, normal(variant)
}

func normal(variant string) string {
	switch strings.ToLower(variant) {
	case "true":
		return "on"
	case "false":
		return "off"
	}
	return variant
}

// offOf is the answer that stands for a switch being off.
func offOf(s *switches.Switch) string {
	if s == nil {
		return "off"
	}
	return cmp.Or(normal(s.OffVariant), "off")
}

// isOff tells whether an answer stands for off. Of a switch that is not ours names are all there is to go by.
func isOff(s *switches.Switch, variant string) bool {
	if s != nil {
		return variant == offOf(s)
	}
	return slices.Contains([]string{"", "off", "control", "disabled", "0", "no", "none"}, strings.ToLower(variant))
}

// names are those by which programs call an environment: one that says nothing is in the first.
func (i *Impact) names(env string) []string {
	if i.Environments != nil {
		if all := i.Environments(); len(all) > 0 && all[0] != env {
			return []string{env}
		}
	}
	return []string{env, ""}
}

// envOf is the environment that a program is in by the name that it calls it.
func (i *Impact) envOf(name string) string {
	if name == "" && i.Environments != nil {
		if all := i.Environments(); len(all) > 0 {
			return all[0]
		}
	}
	return cmp.Or(name, "production")
}

// switchesOf are the switches of an environment by key.
func (i *Impact) switchesOf(env string) map[string]*switches.Switch {
	byKey := map[string]*switches.Switch{}
	if i.Switches == nil {
		return byKey
	}
	list := i.Switches(env)
	for n := range list {
		byKey[list[n].Key] = &list[n]
	}
	return byKey
}

// coarsest is the table of sums that will do for a stretch of time, as for endpoints.
func coarsest(d time.Duration) time.Duration {
	switch {
	case d <= 2*time.Hour:
		return time.Minute
	case d <= 14*24*time.Hour:
		return time.Hour
	}
	return 24 * time.Hour
}
