package trace

import "strings"

// prefixes sort an op of Sentry's taxonomy (https://develop.sentry.dev/sdk/telemetry/traces/span-operations/) by what stands
// before its first dot.
var prefixes = map[string]Category{"db": DB, "cache": Cache, "http": HTTP, "grpc": HTTP, "rpc": HTTP, "template": Template,
	"view": Template, "ui": Template, "pool": Pool}

// CategoryOf sorts an op. A server's op (http.server) is the program's own work, and so is view.render, by which Django's SDK
// means the whole view function; stores that are asked as caches are caches, whatever the client calls them.
func CategoryOf(op, system string) Category {
	prefix, rest, _ := strings.Cut(op, ".")
	switch {
	case rest == "server" || prefix == "view" && rest != "response.render":
		return Other
	case prefix == "db" && isCache(system, rest):
		return Cache
	}
	return prefixes[prefix]
}

func isCache(system, op string) bool {
	switch strings.ToLower(system) {
	case "redis", "memcached", "valkey":
		return true
	case "":
		return strings.HasPrefix(op, "redis") || strings.HasPrefix(op, "memcache")
	}
	return false
}
