package apptest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"kibitz/app/switches/flaghook"
)

// TestSwitchHooks holds that a flip is told to others, signed, in the form that they and we take; that what others tell is taken by
// the secret that the command line made; and that both stand in one log.
func TestSwitchHooks(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	told := make(chan flaghook.Item, 10)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("X-Sentry-Signature") != flaghook.Sign("s3cret", body) {
			t.Errorf("a message that is not signed: %v %v", r.Header, err)
		}
		items, err := flaghook.Parse(flaghook.Generic, body)
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		for _, i := range items {
			told <- i
		}
	}))
	defer other.Close()
	s := newServer(t, "KIBITZ_SWITCHES_WEBHOOK="+other.URL, "KIBITZ_SWITCHES_WEBHOOK_SECRET=s3cret")
	s.command("switch", "add", "new-cart")
	s.command("switch", "set", "new-cart", "25%")
	s.command("switch", "set", "new-cart", "kill")
	s.command("switch", "remove", "new-cart")
	var got []flaghook.Action
	for len(got) < 4 {
		i := <-told
		if i.Flag == "new-cart" {
			got = append(got, i.Action)
		}
	}
	if !slices.Equal(got, []flaghook.Action{flaghook.Created, flaghook.Updated, flaghook.Updated, flaghook.Deleted}) {
		t.Errorf("told %v", got)
	}

	made := s.command("switch", "webhook", "add", "generic")
	body, err := flaghook.Write([]flaghook.Item{{ID: 1, Action: flaghook.Updated, Flag: "elsewhere", By: "tim", ByType: flaghook.ByName, At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, after(made, "address:"), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Sentry-Signature", flaghook.Sign(after(made, "secret:"), body))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("a signed message answers %s", res.Status)
	}
	var log struct {
		Data []struct{ Flag, Action, Provider string }
	}
	token := after(s.command("token", "add", "--scopes", "switch:read"), "token:")
	s.until("the changes are in the log", func() bool {
		s.api(token, "/api/0/organizations/kibitz/flags/logs/?flag=new-cart&flag=elsewhere&start=2026-01-01T00:00:00", &log)
		return len(log.Data) == 5
	})
	if first, last := log.Data[0], log.Data[4]; first.Flag != "new-cart" || first.Action != "deleted" || first.Provider != "kibitz" || last.Flag != "elsewhere" || last.Provider != "generic" {
		t.Errorf("%+v", log.Data)
	}
	s.stop()
}
