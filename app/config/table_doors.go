package config

import (
	"errors"
	"net/url"
	"strings"
)

// doorsTable is how programs and pages elsewhere ask switches, and who is told of changes.
func doorsTable() []Setting {
	return []Setting{
		{"switches.origins", "*", "sites whose pages may ask switches with a token, with commas between: https://shop.example; * is any", false,
			func(c *Config) value { return list{&c.Doors.Origins} }},
		{"switches.public_tag", "", "tag of the switches that tokens of the scope switch:evaluate get to see; all when empty", false,
			func(c *Config) value { return text{&c.Doors.PublicTag} }},
		{"switches.streams", "10000", "pages that may listen to changes of switches at once; each takes some 10 KB", false,
			func(c *Config) value { return number{&c.Doors.Streams, 1, 1_000_000} }},
		{"switches.webhook", "", "addresses that are told of each change of a switch in Sentry's generic form, with commas between", false,
			func(c *Config) value { return links{&c.Doors.Webhooks} }},
		{"switches.webhook_secret", "", "what these messages are signed with (X-Sentry-Signature)", true,
			func(c *Config) value { return text{&c.Doors.WebhookSecret} }},
	}
}

// links are addresses with whatever path, with commas between.
type links struct{ p *[]string }

func (v links) set(s string) error {
	if err := list(v).set(s); err != nil {
		return err
	}
	for _, text := range *v.p {
		if u, err := url.Parse(text); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return errors.New("write addresses that begin with http:// or https://, with commas between")
		}
	}
	return nil
}
func (v links) show() string { return strings.Join(*v.p, ",") }
