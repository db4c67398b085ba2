package views_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"kibitz/app/switches/switchestest"
	"kibitz/views"
)

func says(s string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	})
}

func TestSwitched(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ answer, want string }{{"on", "new"}, {"blue", "new"}, {"off", "old"}, {"", "old"}} {
		answers := map[string]string{"search.new": c.answer}
		if c.answer == "" {
			answers = nil // no such switch
		}
		ctx := templ.WithChildren(switchestest.Context(t, answers), says("new"))
		var out strings.Builder
		if err := views.Switched("search.new", says("old")).Render(ctx, &out); err != nil || out.String() != c.want {
			t.Errorf("%q: %q, %v", c.answer, out.String(), err)
		}
	}
	var out strings.Builder
	if err := views.Switched("x").Render(templ.WithChildren(t.Context(), says("new")), &out); err != nil || out.String() != "" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
