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
	if directive != "script-src" || blockedURI(s.BlockedURI) != selfURI {
		return ""
	}
	for _, word := range [...]string{"'unsafe-inline'", "'unsafe-eval'"} {
		if strings.Contains(s.ViolatedDirective, word) {
			return word
		}
	}
	return ""
}

// blockedURI is the host of what was blocked, with its scheme unless it is of the web; the scheme when it has no host;
// 'self' for the page's own.
func blockedURI(uri string) string {
	switch uri {
	case "", "self", selfURI:
		return selfURI
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	host, hasHost := strings.CutPrefix(rest, "//")
	if !ok || !hasHost {
		return scheme + ":" // data, blob, and what browsers report by a word: inline, eval
	}
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	if scheme != "http" && scheme != "https" && host != "" {
		return scheme + "://" + host
	}
	return host
}
