// Package mailtest is a mail server for tests: it takes what it is given over SMTP (RFC 5321), and shows it.
package mailtest

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Mail is what was handed over.
type Mail struct {
	From string
	To   []string
	Data string // headers and bodies, as they came
}

// Server is a listening server.
type Server struct {
	// URL is its address, as app/mail reads it.
	URL string

	mu     sync.Mutex
	mails  []Mail
	refuse string
	came   chan struct{}
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "smtp://" + ln.Addr().String() + "?tls=none", came: make(chan struct{}, 1000)}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go s.talk(c)
		}
	}()
	return s
}

// Refuse answers every recipient with a line ("550 no such user"); "" takes them again.
func (s *Server) Refuse(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = line
}

// Mails are all that were taken.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Wait waits until n mails were taken.
func (s *Server) Wait(t testing.TB, n int) []Mail {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if got := s.Mails(); len(got) >= n {
			return got
		}
		select {
		case <-s.came:
		case <-deadline:
			t.Fatalf("%d mails came, %d were awaited", len(s.Mails()), n)
		}
	}
}

// talk is one conversation.
func (s *Server) talk(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	say := func(line string) { _, _ = c.Write([]byte(line + "\r\n")) }
	say("220 mailtest")
	var m Mail
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		switch verb := strings.ToUpper(line); {
		case strings.HasPrefix(verb, "EHLO"), strings.HasPrefix(verb, "HELO"):
			say("250 mailtest")
		case strings.HasPrefix(verb, "MAIL FROM:"):
			m = Mail{From: address(line)}
			say("250 ok")
		case strings.HasPrefix(verb, "RCPT TO:"):
			say(s.recipient(&m, line))
		case verb == "DATA":
			say("354 go on")
			if m.Data, err = readData(in); err != nil {
				return
			}
			s.take(m)
			say("250 taken")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *Server) recipient(m *Mail, line string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != "" {
		return s.refuse
	}
	m.To = append(m.To, address(line))
	return "250 ok"
}

func (s *Server) take(m Mail) {
	s.mu.Lock()
	s.mails = append(s.mails, m)
	s.mu.Unlock()
	s.came <- struct{}{}
}

// address is what stands between angle brackets.
func address(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	inner, _, _ := strings.Cut(rest, ">")
	return inner
}

// readData reads up to a line with a single dot; other dots at the beginning of a line were doubled.
func readData(in *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || strings.TrimRight(line, "\r\n") == "." {
			return b.String(), err
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}
