package accounts

import (
	"strconv"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(3, time.Second, 100), time.Unix(1000, 0)
	for n := range 3 {
		if _, ok := l.take("a", now); !ok {
			t.Fatalf("try %d was refused", n)
		}
	}
	if wait, ok := l.take("a", now); ok || wait != time.Second {
		t.Errorf("the fourth: %v, %t", wait, ok)
	}
	if _, ok := l.take("b", now); !ok {
		t.Error("another key waits too")
	}
	if wait, ok := l.take("a", now.Add(400*time.Millisecond)); ok || wait != 600*time.Millisecond {
		t.Errorf("later: %v, %t", wait, ok)
	}
	if _, ok := l.take("a", now.Add(time.Second)); !ok {
		t.Error("no try grew back")
	}
	l.refund("a")
	if _, ok := l.take("a", now.Add(time.Second)); !ok {
		t.Error("a refund gave nothing")
	}
	for n := range 3 {
		if _, ok := l.take("a", now.Add(time.Hour)); !ok {
			t.Errorf("after an hour try %d was refused", n)
		}
	}
	if _, ok := l.take("a", now.Add(time.Hour)); ok {
		t.Error("after an hour there are more tries than the burst")
	}
}

func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(3, time.Second, 100), time.Unix(1000, 0)
	for n := range 10_000 {
		l.take(strconv.Itoa(n), now)
		if len(l.until) > 100 {
			t.Fatalf("%d keys are kept after %d", len(l.until), n)
		}
	}
	// Keys whose bucket is full again make room first.
	l.take("spent", now.Add(time.Minute))
	for n := range 50 {
		l.take(strconv.Itoa(n), now.Add(time.Minute))
	}
	if _, known := l.until["spent"]; !known {
		t.Error("a spent key was dropped while full ones were there")
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "": "", "x": "x",
	} {
		if got := network(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
