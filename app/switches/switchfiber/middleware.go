// Package switchfiber lets handlers of a fiber v2 application ask switches with nothing but their context:
//
//	app.Use(switchfiber.New(holder, switchfiber.Options{User: func(c *fiber.Ctx) string { return session(c).UserID }}))
//	app.Get("/search", switchfiber.Require("search.new"), search)
//
//	if switches.IsOn(c.UserContext(), "search.ranking") { ... }
//
// It stands behind what finds out who asks, and before all that ask. Handlers pass c.UserContext() on.
package switchfiber

import (
	"crypto/rand"
	"net/netip"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"kibitz/app/switches"
)

// Options say where a request's subject comes from. All may be left out.
type Options struct {
	// User is who signed in; "" nobody.
	User func(*fiber.Ctx) string
	// IP is the address of whoever asks; without it fiber's, which knows the proxies that the application trusts.
	IP func(*fiber.Ctx) string
	// Host is the machine that answers, for conditions on hosts; without it the host that was asked for.
	Host string
	// Release is the running version.
	Release string
	// CountryHeader is the header in which a proxy tells the country, such as CF-IPCountry.
	CountryHeader string
	// Cookie is the name of the cookie that tells browsers apart before anybody signs in. Give makes one where it is missing, so
	// that shares stay the same from the first page on; it lives for a year, and holds nothing but chance.
	Cookie string
	Give   bool
	Secure bool // the cookie goes over https only
	// More adds what the application knows, such as a role, a forum, or attributes by Subject.Set. What it adds must not share
	// memory with the request.
	More func(*fiber.Ctx, *switches.Subject)
}

// cookieLife is how long a browser keeps its id.
const cookieLife = 365 * 24 * time.Hour

// maxCookie is how long the id of a browser may be, in bytes; a longer one is not ours.
const maxCookie = 100

// New makes the middleware. With a nil Holder it does nothing, and every switch is off.
func New(h *switches.Holder, o Options) fiber.Handler {
	if h == nil {
		return func(c *fiber.Ctx) error { return c.Next() }
	}
	return func(c *fiber.Ctx) error {
		c.SetUserContext(switches.With(c.UserContext(), h, o.subject(c)))
		return c.Next()
	}
}

// subject copies all that it takes: fiber uses the memory again.
func (o *Options) subject(c *fiber.Ctx) switches.Subject {
	s := switches.Subject{IP: o.ip(c), Host: o.Host, Release: o.Release, Anonymous: o.anonymous(c)}
	if o.User != nil {
		s.ID = utils.CopyString(o.User(c))
	}
	if s.Host == "" {
		s.Host = utils.CopyString(c.Hostname())
	}
	if o.CountryHeader != "" {
		s.Country = utils.CopyString(c.Get(o.CountryHeader))
	}
	if o.More != nil {
		o.More(c, &s)
	}
	return s
}

func (o *Options) ip(c *fiber.Ctx) netip.Addr {
	text := ""
	if o.IP != nil {
		text = o.IP(c)
	} else {
		text = c.IP()
	}
	// What is no address is absent: the zero Addr. A zone would keep the request's memory.
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return ip.WithZone("").Unmap()
}

// anonymous is the id of the browser, given where it has none.
func (o *Options) anonymous(c *fiber.Ctx) string {
	if o.Cookie == "" {
		return ""
	}
	id := utils.CopyString(c.Cookies(o.Cookie))
	if id != "" && len(id) <= maxCookie || !o.Give {
		return id[:min(len(id), maxCookie)]
	}
	id = rand.Text()
	c.Cookie(&fiber.Cookie{Name: o.Cookie, Value: id, Path: "/", MaxAge: int(cookieLife / time.Second), HTTPOnly: true, Secure: o.Secure,
		SameSite: fiber.CookieSameSiteLaxMode})
	return id
}

// Require lets requests pass whose subject has a switch on; to others there is nothing at this address (404).
func Require(key string) fiber.Handler {
	return RequireElse(key, func(*fiber.Ctx) error { return fiber.ErrNotFound })
}

// RequireElse lets requests pass whose subject has a switch on; others are answered by otherwise.
func RequireElse(key string, otherwise fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if !switches.IsOn(c.UserContext(), key) {
			return otherwise(c)
		}
		return c.Next()
	}
}
