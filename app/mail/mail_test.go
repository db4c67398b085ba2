package mail

import (
	"strings"
	"testing"

	"kibitz/app/mail/mailtest"
)

func TestSend(t *testing.T) {
	t.Parallel()
	server := mailtest.New(t)
	s, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Send(t.Context(), Message{ID: "report-2026-W47@kibitz", From: "Kibitz <kibitz@example.org>", To: []string{"mara@example.org", "otto@example.org"}, Subject: "Grüße\r\nBcc: evil@example.org",
		Text: "hello", HTML: "<p>hello</p>", Automatically: true})
	if err != nil {
		t.Fatal(err)
	}
	got := server.Wait(t, 1)[0]
	for _, want := range []string{"Message-ID: <report-2026-W47@kibitz>", "Auto-Submitted: auto-generated", "multipart/alternative", "hello", "<p>hello</p>", "=?UTF-8?q?"} {
		if !strings.Contains(got.Data, want) {
			t.Errorf("the mail lacks %q:\n%s", want, got.Data)
		}
	}
	if strings.Contains(got.Data, "\r\nBcc:") || strings.Join(got.To, ",") != "mara@example.org,otto@example.org" || got.From != "kibitz@example.org" {
		t.Errorf("%+v", got)
	}
}

func TestSendRefused(t *testing.T) {
	t.Parallel()
	server := mailtest.New(t)
	server.Refuse("550 no such user")
	s, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), Message{From: "a@example.org", To: []string{"b@example.org"}, Text: "x"}); err == nil || !strings.Contains(err.Error(), "no such user") {
		t.Error(err)
	}
	if err := s.Send(t.Context(), Message{From: "nobody", To: []string{"b@example.org"}}); err == nil {
		t.Error("mail from nobody was sent")
	}
	secure, err := New(strings.Replace(server.URL, "?tls=none", "", 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := secure.Send(t.Context(), Message{From: "a@example.org", To: []string{"b@example.org"}, Text: "x"}); err == nil {
		t.Error("mail went without TLS to a server that has none")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{"smtp://host": true, "smtps://u:p@host:465": true, "smtp://host:25?tls=none": true, "smtp://": false, "http://host": false, "smtp://host?tls=maybe": false,
		"smtp://u:secret@:25": false, "smtp://u:sec%ret@host": false, "": false} {
		if _, err := New(address); (err == nil) != ok || err != nil && strings.Contains(err.Error(), "sec") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
