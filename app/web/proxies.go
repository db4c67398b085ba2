package web

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// proxies are the networks whose X-Forwarded-For we believe.
type proxies []netip.Prefix

// parseProxies reads networks (10.0.0.0/8) and addresses (127.0.0.1).
func parseProxies(texts []string) (proxies, error) {
	var out proxies
	for _, text := range texts {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("cannot read trusted proxy %q: it is neither an address nor a network such as 10.0.0.0/8", text)
			}
			addr = addr.Unmap()
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, prefix.Masked())
	}
	return out, nil
}

func (p proxies) trusts(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// client is the address that a request comes from: the peer, or, when that is a trusted proxy, the nearest address
// in X-Forwarded-For that is not one. What stands further left was written by the client and is worth nothing.
func (p proxies) client(peer netip.Addr, forwarded []string) netip.Addr {
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	addr := peer.Unmap().WithZone("")
	for n := len(hops) - 1; n >= 0 && p.trusts(addr); n-- {
		hop, err := parseHop(hops[n])
		if err != nil {
			break
		}
		addr = hop
	}
	return addr
}

// parseHop reads an address, with or without a port.
func parseHop(text string) (netip.Addr, error) {
	text = strings.TrimSpace(text)
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone(""), nil
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return addr.Unmap().WithZone(""), err
}

// clientIP is the address of who asks.
func (s *Server) clientIP(c *fiber.Ctx) string {
	peer, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	if !ok {
		return ""
	}
	var forwarded []string
	if len(s.proxies) > 0 {
		for _, line := range c.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
			forwarded = append(forwarded, string(line))
		}
	}
	return s.proxies.client(peer, forwarded).String()
}
