package envelope

import "strings"

// TagPairs are the event's tags and those that its other fields stand for, as Sentry derives them: level, environment,
// release, user, url, browser, os ... An own tag of the same name wins.
func (ev *Event) TagPairs() []Pair {
	out := make([]Pair, 0, len(ev.Tags)+16)
	seen := map[string]bool{}
	add := func(key, value string) {
		if value = strings.TrimSpace(value); value == "" || seen[key] || key == "" {
			return
		}
		seen[key] = true
		value, _ = tidy(strings.ReplaceAll(value, "\n", " "), maxTagValue)
		out = append(out, Pair{key, value})
	}
	for _, t := range ev.Tags {
		add(t.Key, t.Value)
	}
	level := ev.Level
	if level == "" {
		level = "error"
	}
	add("level", level)
	add("environment", ev.Environment)
	add("release", ev.Release)
	add("dist", ev.Dist)
	add("server_name", ev.ServerName)
	add("logger", ev.Logger)
	add("transaction", ev.Transaction)
	if user := ev.User.Ident(); user != "" && user != "ip:{{auto}}" {
		add("user", user)
	}
	if ev.Request != nil {
		url, _, _ := strings.Cut(ev.Request.URL, "?")
		add("url", url)
	}
	ev.addMechanism(add)
	for i := range ev.Contexts {
		ev.Contexts[i].addTags(add)
	}
	return out
}

// addMechanism adds how the outermost exception was caught.
func (ev *Event) addMechanism(add func(key, value string)) {
	if len(ev.Exceptions) == 0 {
		return
	}
	m := ev.Exceptions[len(ev.Exceptions)-1].Mechanism
	if m == nil {
		return
	}
	add("mechanism", m.Type)
	if m.Handled != nil {
		add("handled", map[bool]string{true: "yes", false: "no"}[*m.Handled])
	}
}

// addTags adds what a well-known context is called: browser "Firefox 120" and browser.name "Firefox".
func (c *Context) addTags(add func(key, value string)) {
	switch c.Name {
	case "browser", "os", "runtime", "client_os":
		name, version := c.field("name"), c.field("version")
		add(c.Name, strings.TrimSpace(name+" "+version))
		add(c.Name+".name", name)
	case "device":
		add("device", c.field("model"))
		add("device.family", c.field("family"))
	}
}

func (c *Context) field(name string) string {
	for _, f := range c.Fields {
		if f.Key == name && !f.JSON {
			return f.Value
		}
	}
	return ""
}
