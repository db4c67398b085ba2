package flaghook

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"kibitz/app/errs"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestParse holds what is read of each provider's form.
func TestParse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from Provider
		body string
		want []Item
	}{
		"generic": {Generic, `{"data":[{"action":"created","change_id":9223372036854775807,"created_at":"2026-03-01T13:00:00+01:00",
			"created_by":{"id":"mara@example.org","type":"email"},"flag":"new-cart"},{"action":"deleted","change_id":2,"created_at":"2026-03-01T12:00:00Z","flag":"old"}],
			"meta":{"version":1}}`,
			[]Item{{1<<63 - 1, Created, "new-cart", "mara@example.org", ByEmail, noon}, {2, Deleted, "old", "", "", noon}}},
		"generic, none": {Flagsmith, `{"data":[],"meta":{"version":1}}`, nil},
		"launchdarkly": {LaunchDarkly, `{"_id":"1","kind":"flag","name":"New cart","date":1772366400000,"accesses":[{"action":"updateOn","resource":"proj/default:env/test:flag/new-cart"}],
			"member":{"_id":"m","email":"mara@example.org"},"target":{"resources":["proj/default:env/test:flag/new-cart;tag"]}}`,
			[]Item{{numberOf("1|New cart"), Updated, "new-cart", "mara@example.org", ByEmail, noon}}},
		"launchdarkly, a project": {LaunchDarkly, `{"_id":"1","kind":"project","name":"x"}`, nil},
		"unleash": {Unleash, `{"id":28,"type":"feature-archived","createdBy":"admin","createdAt":"2026-03-01T12:00:00Z","featureName":"new-cart"}`,
			[]Item{{28, Deleted, "new-cart", "admin", ByName, noon}}},
		"unleash, a login": {Unleash, `{"id":28,"type":"user-created","createdAt":"2026-03-01T12:00:00Z"}`, nil},
		"statsig": {Statsig, `{"data":[{"eventName":"statsig::config_change","timestamp":1772366400000,"user":{"name":"Mara"},"userID":"7",
			"metadata":{"type":"Gate","name":"new-cart","action":"created"}},{"eventName":"other"}]}`,
			[]Item{{numberOf("1772366400000|new-cart|created"), Created, "new-cart", "Mara", ByName, noon}}},
	} {
		got, err := Parse(c.from, []byte(c.body))
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		for i := range got {
			if !got[i].At.Equal(c.want[i].At) {
				t.Errorf("%s: at %v", name, got[i].At)
			}
			got[i].At = c.want[i].At
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v\nwant %+v", name, got, c.want)
		}
	}
}

// TestParseBad holds that what is wrong is named and nothing of the message is taken.
func TestParseBad(t *testing.T) {
	t.Parallel()
	item := func(change string) string {
		full := `{"action":"created","change_id":1,"created_at":"2026-03-01T12:00:00Z","created_by":{"id":"m","type":"name"},"flag":"f"}`
		from, to, _ := strings.Cut(change, "=>")
		return `{"data":[` + strings.Replace(full, from, to, 1) + `],"meta":{"version":1}}`
	}
	for body, says := range map[string]string{
		"":                                      "no JSON",
		"[]":                                    "no JSON",
		`{"data":[]}`:                           "meta.version is 0",
		item(`"created"=>"invented"`):           "action",
		item(`"change_id":1,=>`):                "change_id is missing",
		item(`1,"created_at=>1.5,"created_at`):  "no JSON",
		item(`2026-03-01T12:00:00Z=>yesterday`): "created_at",
		item(`"flag":"f"=>"flag":""`):           "flag",
		item(`"flag":"f"=>"flag":"` + strings.Repeat("ü", 101) + `"`):               "flag",
		item(`"id":"m"=>"id":"` + strings.Repeat("m", 101) + `"`):                   "created_by.id",
		item(`"type":"name"=>"type":"shoe size"`):                                   "created_by.type",
		`{"data":[` + strings.Repeat(`{},`, MaxItems) + `{}],"meta":{"version":1}}`: "flag_changes",
	} {
		items, err := Parse(Generic, []byte(body))
		if errs.Of(err) != errs.Invalid || !strings.Contains(errs.Message(err), says) || items != nil {
			t.Errorf("%.80s: %v, %v; wanted %q", body, items, err, says)
		}
	}
}

// TestSigned holds whose signatures pass.
func TestSigned(t *testing.T) {
	t.Parallel()
	body, secrets := []byte(`{"a":1}`), []string{"old", "secret"}
	sum := Sign("secret", body)
	for name, c := range map[string]struct {
		p    Provider
		h    Headers
		want bool
	}{
		"generic":             {Generic, Headers{Sentry: sum}, true},
		"an older secret":     {Generic, Headers{Sentry: Sign("old", body)}, true},
		"another's":           {Generic, Headers{Sentry: Sign("no", body)}, false},
		"none":                {Generic, Headers{}, false},
		"launchdarkly":        {LaunchDarkly, Headers{LaunchDarkly: sum}, true},
		"the wrong header":    {LaunchDarkly, Headers{Sentry: sum}, false},
		"unleash":             {Unleash, Headers{Auth: "secret"}, true},
		"unleash, none":       {Unleash, Headers{}, false},
		"statsig":             {Statsig, Headers{Statsig: "v0=" + Sign("secret", []byte(`v0:17:{"a":1}`)), StatsigTime: "17"}, true},
		"statsig, other time": {Statsig, Headers{Statsig: "v0=" + Sign("secret", []byte(`v0:17:{"a":1}`)), StatsigTime: "18"}, false},
	} {
		if got := Signed(c.p, secrets, c.h, body); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if Signed(Unleash, nil, Headers{}, body) || Signed(Unleash, []string{""}, Headers{}, body) {
		t.Error("a message without a secret passed")
	}
}

// TestWrite holds that what we send is what we take, within the limits of receivers.
func TestWrite(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 120)
	b, err := Write([]Item{{7, Updated, long, "mara@example.org", ByEmail, noon}, {8, Deleted, "b", "", "", noon}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(Generic, b)
	if err != nil || len(got) != 2 || got[0].Flag != strings.Repeat("ä", 100) || got[0].ID != 7 || got[1].By != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzParse holds that no message breaks the reader, and that what is taken is within limits.
func FuzzParse(f *testing.F) {
	f.Add(`{"data":[{"action":"created","change_id":1,"created_at":"2026-03-01T12:00:00Z","flag":"f"}],"meta":{"version":1}}`)
	f.Add(`{"_id":"1","kind":"flag","name":"x","target":{"resources":["a:flag/b;c"]}}`)
	f.Add(`{"id":1,"type":"feature-created","createdAt":"2026-03-01T12:00:00Z","featureName":"f"}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, p := range Providers {
			items, err := Parse(p, []byte(body))
			if err != nil && items != nil {
				t.Fatal("some were taken of a message that is refused")
			}
			for _, i := range items {
				if i.check("") != nil {
					t.Fatalf("%+v is out of bounds", i)
				}
			}
		}
	})
}
