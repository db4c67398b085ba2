package web

import (
	"net/url"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/ingest/envelope"
	"kibitz/views"
)

// toast is what the last action of this browser did, carried to the next page in a short-lived cookie: text and what
// its undo sends, which the page escapes and the server checks again when it comes back. Kind says where the undo is
// sent; an address in the cookie would let another page of this host choose it.
type toast struct {
	Text, Kind string
	Undo       url.Values
	Bad        bool // nothing was done
}

const (
	toastCookie = "toast"
	// maxToast bounds its text in bytes: two sentences.
	maxToast = 400
)

// refused goes back to a page and says there why something was not done, when it is for the visitor to mend; other
// errors have a page of their own.
func (s *Server) refused(c *fiber.Ctx, err error, back string) error {
	switch errs.Of(err) {
	case errs.Unprocessable, errs.Conflict, errs.NotFound, errs.TooLarge, errs.Limited:
		s.setToast(c, toast{Text: clip(errs.Message(err), maxToast), Bad: true})
		return c.Redirect(back, fiber.StatusSeeOther)
	}
	return err
}

func (s *Server) setToast(c *fiber.Ctx, t toast) {
	q := url.Values{"t": {t.Text}, "k": {t.Kind}, "u": {t.Undo.Encode()}}
	if t.Bad {
		q.Set("bad", "1")
	}
	c.Cookie(&fiber.Cookie{Name: toastCookie, Value: q.Encode(), Path: "/", MaxAge: 30,
		HTTPOnly: true, Secure: s.https, SameSite: "Lax"})
}

// takeToast reads the toast and clears it.
func (s *Server) takeToast(c *fiber.Ctx) *views.Toast {
	q, err := url.ParseQuery(c.Cookies(toastCookie))
	if err != nil || q.Get("t") == "" || len(q.Get("t")) > maxToast {
		return nil
	}
	c.Cookie(&fiber.Cookie{Name: toastCookie, Path: "/", MaxAge: -1, Expires: time.Unix(1, 0), HTTPOnly: true, Secure: s.https, SameSite: "Lax"})
	undo, err := url.ParseQuery(q.Get("u"))
	if err != nil {
		undo = nil
	}
	return shownToast(toast{Text: q.Get("t"), Kind: q.Get("k"), Undo: undo, Bad: q.Get("bad") != ""})
}

// shownToast is a toast as pages show it.
func shownToast(in toast) *views.Toast {
	t := &views.Toast{Text: in.Text, Tone: "ok"}
	if in.Bad {
		t.Tone = "bad"
	}
	if len(in.Undo) == 0 {
		return t
	}
	action, keys := undoForm(in.Kind, in.Undo)
	t.UndoAction = action
	for _, key := range keys {
		for _, v := range in.Undo[key] {
			t.UndoFields = append(t.UndoFields, pairOf(key, v))
		}
	}
	return t
}

func pairOf(key, value string) envelope.Pair { return envelope.Pair{Key: key, Value: value} }

// undoForm is where an undo of a kind is sent, and with which fields; "" when the cookie is not of our making.
func undoForm(kind string, undo url.Values) (action string, keys []string) {
	switch kind {
	case "issues":
		return "/issues", []string{"do", "return", "id"}
	case "refile":
		if id, err := strconv.ParseInt(undo.Get("id"), 10, 64); err == nil {
			return "/refiles/" + strconv.FormatInt(id, 10) + "/undo", []string{"return"}
		}
	case "switch":
		if id, err := strconv.ParseInt(undo.Get("id"), 10, 64); err == nil {
			return "/switches/changes/" + strconv.FormatInt(id, 10) + "/undo", []string{"env", "return"}
		}
	case "grouping":
		if undo.Get("slug") != "" {
			return "/projects/" + url.PathEscape(undo.Get("slug")) + "/grouping/restore", []string{"version"}
		}
	}
	return "", nil
}

// values are the fields of a form, as pairs.
func values(pairs ...string) url.Values {
	out := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Add(pairs[i], pairs[i+1])
	}
	return out
}

func plural(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + several
}
