// Package mail sends mail through one SMTP server (RFC 5321), as text with HTML beside it.
package mail

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Message is one mail. ID is its Message-ID without brackets: the same mail sent twice has the same, so that mail programs show
// it once.
type Message struct {
	ID, From      string
	To            []string
	Subject       string
	Text, HTML    string
	Automatically bool // nobody is to be told that the reader is away
}

// Server is where mail is handed over.
type Server struct {
	host    string
	options []gomail.Option
}

// timeout bounds a connection, and each answer of the server.
const timeout = 15 * time.Second

// New reads the address of a server: smtp://user:password@host:587 demands STARTTLS; smtps:// speaks TLS from the beginning;
// smtp://host:25?tls=none is for a relay on the same machine. An error never quotes the address: it may hold a password.
func New(address string) (*Server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("the address of the mail server is not smtp://host or smtps://host")
	}
	s := &Server{host: u.Hostname(), options: []gomail.Option{gomail.WithTimeout(timeout)}}
	port := 587
	switch {
	case u.Scheme == "smtps":
		port = 465
		s.options = append(s.options, gomail.WithSSL())
	case u.Query().Get("tls") == "none":
		port = 25
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.NoTLS))
	case u.Query().Get("tls") == "":
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		return nil, errors.New("the address of the mail server has a tls= that is not none")
	}
	if text := u.Port(); text != "" {
		if port, err = strconv.Atoi(text); err != nil {
			return nil, errors.New("the port of the mail server is no number")
		}
	}
	s.options = append(s.options, gomail.WithPort(port))
	if user := u.User.Username(); user != "" {
		password, _ := u.User.Password()
		s.options = append(s.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(user), gomail.WithPassword(password))
	}
	return s, nil
}

// Send hands a mail over to the server. nil means that the server has taken it.
func (s *Server) Send(ctx context.Context, m Message) error {
	msg, err := compose(m)
	if err != nil {
		return err
	}
	client, err := gomail.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("cannot make a mail client: %w", err)
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("cannot send mail: %w", err)
	}
	return nil
}

func compose(m Message) (*gomail.Msg, error) {
	msg := gomail.NewMsg()
	if err := msg.From(m.From); err != nil {
		return nil, fmt.Errorf("cannot write mail from that address: %w", err)
	}
	if err := msg.To(m.To...); err != nil {
		return nil, fmt.Errorf("cannot write mail to those addresses: %w", err)
	}
	msg.Subject(m.Subject)
	msg.SetDate()
	if m.ID != "" {
		msg.SetMessageIDWithValue(m.ID)
	}
	if m.Automatically {
		msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}
