package receiver

import (
	"encoding/base64"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// credentials is the public key that a request carries in one of the places that SDKs use, or "":
// X-Sentry-Auth, Authorization (Sentry, DSN, Bearer or Basic), ?sentry_key=.
func credentials(c *fiber.Ctx) string {
	found := ""
	for _, key := range []string{keyOf(c.Get("X-Sentry-Auth")), keyOf(c.Get(fiber.HeaderAuthorization)), strings.ToLower(c.Query("sentry_key")), keyOf(c.Query("sentry_auth"))} {
		switch {
		case key == "" || key == found:
		case found != "":
			return ambiguous
		default:
			found = strings.Clone(key)
		}
	}
	return found
}

// ambiguous stands for two different keys in one request; it is no key.
const ambiguous = "?"

// keyOf reads "Sentry sentry_key=..., sentry_version=7", tolerant of case and spaces.
func keyOf(header string) string {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(header), " ")
	if !ok {
		scheme, rest = "sentry", scheme
	}
	switch strings.ToLower(scheme) {
	case "sentry":
		for part := range strings.SplitSeq(rest, ",") {
			name, value, _ := strings.Cut(part, "=")
			if strings.EqualFold(strings.TrimSpace(name), "sentry_key") {
				return strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`))
			}
		}
	case "dsn":
		key, _ := keyOfDSN(rest)
		return key
	case "bearer":
		return strings.ToLower(strings.TrimSpace(rest))
	case "basic":
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
		if err != nil {
			return ""
		}
		user, _, _ := strings.Cut(string(raw), ":")
		return strings.ToLower(user)
	}
	return ""
}

// keyOfDSN takes a DSN apart.
func keyOfDSN(dsn string) (key, project string) {
	u, err := url.Parse(strings.TrimSpace(dsn))
	if err != nil || u.User == nil {
		return "", ""
	}
	path := strings.TrimSuffix(u.Path, "/")
	return strings.ToLower(u.User.Username()), path[strings.LastIndexByte(path, '/')+1:]
}

// proxies are the networks whose word on the client's address is taken.
type proxies []netip.Prefix

func parseProxies(texts []string) proxies {
	var out proxies
	for _, t := range texts {
		if p, err := netip.ParsePrefix(t); err == nil {
			out = append(out, p.Masked())
		} else if a, err := netip.ParseAddr(t); err == nil {
			out = append(out, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
		}
	}
	return out
}

func (p proxies) trust(a netip.Addr) bool {
	for _, n := range p {
		if n.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// client is the address of the sender: the last one in X-Forwarded-For that is no proxy of ours.
func (p proxies) client(c *fiber.Ctx) string {
	peer, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	if !ok {
		return ""
	}
	peer = peer.Unmap()
	hops := strings.Split(c.Get(fiber.HeaderXForwardedFor), ",")
	for i := len(hops) - 1; i >= 0 && p.trust(peer); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		peer = hop.Unmap()
	}
	return peer.String()
}
