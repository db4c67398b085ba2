package grouping

// Setup is how the events of a project are grouped. The zero value is the current configuration without rules of
// the project.
type Setup struct {
	Config Config // "" is Current
	Rules  *Rules // nil adds nothing to the base rules
}

// Group finds out which issue an event belongs to, and why. It is pure and never panics: what is missing or
// malformed counts as absent, and an event with nothing to go by lands in the variant "fallback".
func (s Setup) Group(ev *Event) Result { return s.Rules.Group(ev) }

// Current is the configuration of new projects.
const Current = Newstyle2026

// Configs are the published versions of the algorithm, the oldest first.
func Configs() []Config { return []Config{Newstyle2023, Newstyle2026} }

// ParseConfig is the configuration with a name; ok is false when there is none.
func ParseConfig(name string) (c Config, ok bool) {
	for _, c := range Configs() {
		if string(c) == name {
			return c, true
		}
	}
	return "", false
}
