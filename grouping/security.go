package grouping

import "strings"

// security groups a browser's report: a policy violation by directive and what was blocked, the others by host.
func (g *grouper) security() pair {
	s := g.ev.Security
	if s == nil {
		return pair{}
	}
	switch s.Kind {
	case "hpkp", "expectct", "expectstaple":
		salt := map[string]string{"hpkp": "hpkp", "expectct": "expect-ct", "expectstaple": "expect-staple"}[s.Kind]
		return pair{app: g.parent(salt, []*Component{g.arena.leaf("salt", salt, "", true), g.arena.leaf("hostname", s.Hostname, "", true)})}
	}
	directive := s.EffectiveDirective
	if directive == "" {
		directive, _, _ = strings.Cut(s.ViolatedDirective, " ")
	}
	salt := g.arena.leaf("salt", directive, "", true)
	if v := localViolation(s, directive); v != "" {
		return pair{app: g.parent("csp", []*Component{salt, g.arena.leaf("violation", v, "", true),
			g.arena.leaf("uri", blockedURI(s.BlockedURI), "the violation counts", false)})}
	}
	return pair{app: g.parent("csp", []*Component{salt, g.arena.leaf("uri", blockedURI(s.BlockedURI), "", true)})}
}

const selfURI = "'self'"

// localViolation is the keyword that a script of the page itself fell foul of, if one did.
func localViolation(s *Security, directive string) string {
	if !strings.HasPrefix(directive, "script-src") || blockedURI(s.BlockedURI) != selfURI {
		return ""
	}
	for _, word := range [...]string{"'unsafe-inline'", "'unsafe-eval'"} {
		if strings.Contains(s.ViolatedDirective, word) {
			return word
		}
	}
	return ""
}

// blockedURI is the host of what was blocked; the scheme when it has no host; 'self' for the page's own.
func blockedURI(uri string) string {
	switch uri {
	case "", "self", selfURI:
		return selfURI
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok {
		return uri
	}
	if !strings.HasPrefix(rest, "//") {
		return scheme
	}
	host := rest[2:]
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	return host
}
