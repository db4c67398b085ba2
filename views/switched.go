package views

import (
	"context"
	"io"

	"github.com/a-h/templ"

	"kibitz/app/switches"
)

// Switched shows its children where a feature switch is on for whoever asks (see switches.With), and otherwise what is given for
// that, if anything:
//
//	@Switched("search.new", oldSearch()) {
//		<form> ... </form>
//	}
//
// It asks memory only, and a request gets one answer, wherever it asks.
func Switched(key string, otherwise ...templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		children := templ.GetChildren(ctx)
		ctx = templ.ClearChildren(ctx)
		if switches.IsOn(ctx, key) {
			return children.Render(ctx, w)
		}
		for _, c := range otherwise {
			if err := c.Render(ctx, w); err != nil {
				return err
			}
		}
		return nil
	})
}
