// Command go raises two different errors, the first twice, each with a cause, breadcrumbs, tags and a user.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/getsentry/sentry-go"
)

type regionError struct {
	cart  int
	cause error
}

func (e *regionError) Error() string { return fmt.Sprintf("cart %d has no tax region", e.cart) }
func (e *regionError) Unwrap() error { return e.cause }

type marginError struct{ revenue int }

func (e *marginError) Error() string { return "no revenue to share" }

var errProfile = errors.New("profile has no address")

func taxFor(cart int) error { return &regionError{cart, errProfile} }

func share(revenue int) error { return &marginError{revenue} }

func report(err error) {
	sentry.AddBreadcrumb(&sentry.Breadcrumb{Category: "shop", Message: "priced the cart"})
	sentry.CaptureException(err)
}

func main() {
	err := sentry.Init(sentry.ClientOptions{Dsn: os.Getenv("DSN"), Release: "shop@1.2.3", Environment: "test", AttachStacktrace: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	sentry.ConfigureScope(func(s *sentry.Scope) {
		s.SetTag("region", "nz")
		s.SetUser(sentry.User{ID: "52107", Email: "mara@tealeaf.example"})
	})
	for _, cart := range []int{88213, 88214} {
		report(taxFor(cart))
	}
	report(share(0))
	if !sentry.Flush(10 * time.Second) {
		os.Exit(1)
	}
}
