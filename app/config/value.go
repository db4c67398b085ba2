package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// value is a field of a Config that can be set from text and shown as text. set's error says what is allowed.
type value interface {
	set(string) error
	show() string
}

type text struct{ p *string }

func (v text) set(s string) error { *v.p = s; return nil }
func (v text) show() string       { return *v.p }

type required struct{ p *string }

func (v required) set(s string) error {
	if *v.p = s; s == "" {
		return errors.New("it must not be empty")
	}
	return nil
}
func (v required) show() string { return *v.p }

type address struct{ p *string }

func (v address) set(s string) error {
	*v.p = s
	_, port, err := net.SplitHostPort(s)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		return errors.New("write host:port, 127.0.0.1:8000 or :8000 say")
	}
	return nil
}
func (v address) show() string { return *v.p }

type link struct{ p *string }

func (v link) set(s string) error {
	*v.p = s
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return errors.New("write http:// or https:// and a host, without a path")
	}
	return nil
}
func (v link) show() string { return *v.p }

type nodeName struct{ p *string }

func (v nodeName) set(s string) error {
	*v.p = s
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_' {
			return errors.New("use letters, digits, dashes, dots and underscores")
		}
	}
	if s == "" || len(s) > 100 {
		return errors.New("it must have 1 to 100 characters")
	}
	return nil
}
func (v nodeName) show() string { return *v.p }

type choice struct {
	p       *string
	allowed []string
}

func (v choice) set(s string) error {
	*v.p = strings.ToLower(s)
	if !slices.Contains(v.allowed, *v.p) {
		return fmt.Errorf("it is one of %s", strings.Join(v.allowed, ", "))
	}
	return nil
}
func (v choice) show() string { return *v.p }

type yes struct{ p *bool }

func (v yes) set(s string) error {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		*v.p = true
	case "false", "no", "off", "0":
		*v.p = false
	default:
		return errors.New("it is true or false")
	}
	return nil
}
func (v yes) show() string { return strconv.FormatBool(*v.p) }

type list struct{ p *[]string }

func (v list) set(s string) error {
	*v.p = nil
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*v.p = append(*v.p, part)
		}
	}
	return nil
}
func (v list) show() string { return strings.Join(*v.p, ",") }

// headers are written as in the variable OTEL_EXPORTER_OTLP_HEADERS
// (https://opentelemetry.io/docs/specs/otel/protocol/exporter/): name=value with commas between, in percent encoding.
type headers struct{ p *http.Header }

func (v headers) set(s string) error {
	*v.p = http.Header{}
	var parts []string
	if err := (list{&parts}).set(s); err != nil {
		return err
	}
	for _, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		text, err := url.PathUnescape(strings.TrimSpace(value))
		name = strings.TrimSpace(name)
		if !ok || err != nil || !headerName(name) || strings.ContainsAny(text, "\r\n\x00") {
			return errors.New("write name=value, with commas between and values in percent encoding")
		}
		v.p.Add(name, text)
	}
	return nil
}

// headerName tells whether a name is a token (RFC 9110, 5.6.2).
func headerName(name string) bool {
	other := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	}
	return name != "" && strings.IndexFunc(name, other) < 0
}

func (v headers) show() string {
	var parts []string
	for name, values := range *v.p {
		for _, value := range values {
			parts = append(parts, name+"="+url.PathEscape(value))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

type networks struct{ p *[]string }

func (v networks) set(s string) error {
	if err := list(v).set(s); err != nil {
		return err
	}
	for _, n := range *v.p {
		_, errNet := netip.ParsePrefix(n)
		_, errIP := netip.ParseAddr(n)
		if errNet != nil && errIP != nil {
			return errors.New("write addresses or networks, 10.0.0.0/8,::1 say")
		}
	}
	return nil
}
func (v networks) show() string { return list(v).show() }

type number struct {
	p        *int
	min, max int
}

func (v number) set(s string) (err error) {
	if *v.p, err = strconv.Atoi(s); err != nil || *v.p < v.min || *v.p > v.max {
		return fmt.Errorf("it is a whole number from %d to %d", v.min, v.max)
	}
	return nil
}
func (v number) show() string { return strconv.Itoa(*v.p) }

// mode is the permissions of a file.
type mode struct{ p *fs.FileMode }

func (v mode) set(s string) error {
	n, err := strconv.ParseUint(s, 8, 32)
	if *v.p = fs.FileMode(n); err != nil || n > 0o777 {
		return errors.New("it is an octal number from 0 to 0777, 0660 say")
	}
	return nil
}
func (v mode) show() string { return fmt.Sprintf("%04o", uint32(*v.p)) }

type share struct{ p *float64 }

func (v share) set(s string) (err error) {
	if *v.p, err = strconv.ParseFloat(s, 64); err != nil || !(*v.p > 0 && *v.p <= 1) {
		return errors.New("it is a number above 0, at most 1")
	}
	return nil
}
func (v share) show() string { return strconv.FormatFloat(*v.p, 'g', -1, 64) }

// Units of sizes, largest first.
var units = []struct {
	name string
	n    int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func parseSize(s string) (int64, error) {
	digits, unit := strings.TrimSpace(s), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(digits, u.name); ok {
			digits, unit = strings.TrimSpace(rest), u.n
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, errors.New("not a size")
	}
	return n * unit, nil
}

func formatSize(n int64) string {
	for _, u := range units {
		if n >= u.n && n%u.n == 0 {
			return strconv.FormatInt(n/u.n, 10) + u.name
		}
	}
	return "0"
}

type size struct {
	p        *int64
	min, max int64
}

func (v size) set(s string) (err error) {
	if *v.p, err = parseSize(s); err != nil || *v.p < v.min || *v.p > v.max {
		return fmt.Errorf("it is a size from %s to %s, 64MiB say", formatSize(v.min), formatSize(v.max))
	}
	return nil
}
func (v size) show() string { return formatSize(*v.p) }

// smallSize is a size that fits an int on every machine.
type smallSize struct {
	p        *int
	min, max int64
}

func (v smallSize) set(s string) error {
	var n int64
	err := size{&n, v.min, v.max}.set(s)
	*v.p = int(n)
	return err
}
func (v smallSize) show() string { return formatSize(int64(*v.p)) }

// autoSize is a size, or "auto" for 0.
type autoSize struct{ p *int64 }

func (v autoSize) set(s string) error {
	if s == "auto" {
		*v.p = 0
		return nil
	}
	return size{v.p, 64 << 20, 1 << 46}.set(s)
}

func (v autoSize) show() string {
	if *v.p == 0 {
		return "auto"
	}
	return formatSize(*v.p)
}
