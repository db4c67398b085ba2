package sockets

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"kibitz/app/errs"
)

// Address is where to listen, and how.
type Address struct {
	Transport string // udp, tcp, tls, unix (datagrams) or unixstream
	Where     string // host:port, or a path
}

// String is the address as the setting has it.
func (a Address) String() string { return a.Transport + "://" + a.Where }

// datagrams tells whether each read is a message.
func (a Address) datagrams() bool { return a.Transport == "udp" || a.Transport == "unix" }

func (a Address) local() bool { return strings.HasPrefix(a.Transport, "unix") }

// ParseAddress reads udp://127.0.0.1:5514, tcp://, tls:// alike, unix:///run/kibitz/log or unixstream://.
func ParseAddress(text string) (a Address, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return a, errs.New(errs.Invalid, "syslog: that is no address; write udp://127.0.0.1:5514 say.")
	}
	switch a = (Address{u.Scheme, u.Host}); u.Scheme {
	case "udp", "tcp", "tls":
		if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "" || strings.Trim(u.Path, "/") != "" {
			return a, errs.New(errs.Invalid, "syslog: %s: write %s://HOST:PORT.", text, u.Scheme)
		}
	case "unix", "unixstream":
		if a.Where = u.Host + u.Path; !strings.HasPrefix(a.Where, "/") {
			return a, errs.New(errs.Invalid, "syslog: %s: write the whole path, %s:///run/kibitz/log say.", text, u.Scheme)
		}
	default:
		return a, errs.New(errs.Invalid, "syslog: %s: it begins with udp://, tcp://, tls://, unix:// or unixstream://.", text)
	}
	return a, nil
}

// loopback tells whether only this machine reaches the address. A name is not looked up: only localhost is known.
func (a Address) loopback() bool {
	host, _, err := net.SplitHostPort(a.Where)
	ip, perr := netip.ParseAddr(host)
	return a.local() || err == nil && (host == "localhost" || perr == nil && ip.IsLoopback())
}

// guarded refuses an address that other machines reach while nobody said which may: syslog knows no password.
func (a Address) guarded(allow []netip.Prefix) error {
	if a.loopback() || len(allow) > 0 {
		return nil
	}
	return errs.New(errs.Invalid, "syslog: other machines reach %s, and syslog knows no password. Name those that may send in syslog_allow (10.0.0.0/8 say), or listen on 127.0.0.1.", a)
}

// allowed tells whether a sender may send: this machine, and the networks of syslog_allow.
func allowed(allow []netip.Prefix, ip netip.Addr) bool {
	if ip.IsLoopback() {
		return true
	}
	for _, p := range allow {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
