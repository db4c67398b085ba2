package grouping

// Setup is how the events of a project are grouped. The zero value is the current configuration without rules of
// the project.
type Setup struct {
	Config Config // "" is Current
	Rules  *Rules // nil adds nothing to the base rules
}

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

// newer tells whether a configuration was published after another.
func (c Config) newer(other Config) bool { return c[len("newstyle:"):] > other[len("newstyle:"):] }
