// Package ui holds components without domain words.
package ui

import (
	_ "embed" // for the drawings

	"github.com/a-h/templ"
)

//go:embed sprite.svg
var sprite string

//go:embed board.svg
var board string

//go:embed watcher.svg
var watcher string

// Sprite is the symbols that Icon uses; a page has it once.
func Sprite() templ.Component { return templ.Raw(sprite) }

// Board is the drawing beside the sign-in form.
func Board() templ.Component { return templ.Raw(board) }

// Watcher is the drawing of a page that waits.
func Watcher() templ.Component { return templ.Raw(watcher) }

// Icon is a symbol of the sprite, without its "i-".
func Icon(name string) templ.Component {
	return templ.Raw(`<svg class="i" aria-hidden="true"><use href="#i-` + templ.EscapeString(name) + `"/></svg>`)
}

// SmallIcon is the same in the size of small text.
func SmallIcon(name string) templ.Component {
	return templ.Raw(`<svg class="i sm" aria-hidden="true"><use href="#i-` + templ.EscapeString(name) + `"/></svg>`)
}

// LargeIcon is the same in the size of the tabs of small screens.
func LargeIcon(name string) templ.Component {
	return templ.Raw(`<svg class="i lg" aria-hidden="true"><use href="#i-` + templ.EscapeString(name) + `"/></svg>`)
}
