package sqltext

import "strings"

// word adds a keyword or identifier, in lower case.
func (f *folder) word(w string) {
	switch {
	case f.isValueWord(w), f.isMadeUp(w):
		f.value()
		return
	case w == "or":
		f.closeAlt()
		f.push(token{word, w})
		top := f.top()
		top.altBefore, top.alt = top.alt, len(f.out)
		return
	case endsAlt[w] && f.last(0) != ".":
		f.closeAlt()
		f.closeItem()
		f.push(token{word, w})
		f.restart()
		return
	}
	f.push(token{word, w})
}

// endsAlt are the words behind which a new list or condition begins.
var endsAlt = wordSet("where having on when then else end values select from set group order limit offset returning union except intersect join using window for")

// restart begins the first item and alternative behind what has been pushed.
func (f *folder) restart() {
	top := f.top()
	top.item, top.itemBefore, top.alt, top.altBefore = len(f.out), -1, len(f.out), -1
}

// isValueWord tells null, true and false that are values from those that belong to the statement's shape.
func (f *folder) isValueWord(w string) bool {
	before := f.last(0)
	switch w {
	case "null":
		return before != "is" && before != "not" && before != "set" && before != "."
	case "true", "false":
		return before != "is" && before != "." && (before != "not" || f.last(1) != "is")
	}
	return false
}

// madeUp are the beginnings of names that drivers make up: pgx, Django's server-side cursors, psycopg 3, PDO, npgsql,
// JDBC.
var madeUp = []string{"stmtcache_", "stmt_", "lrupsc_", "_django_curs_", "_pg3_", "pdo_stmt_", "_auto", "s_"}

// isMadeUp tells a name that is different each time: one of a savepoint, or one that a driver makes and that has a digit.
func (f *folder) isMadeUp(w string) bool {
	switch f.last(0) {
	case "savepoint":
		return true
	case "deallocate", "prepare", "execute", "cursor", "from", "declare", "close", "fetch", "in", "release", "to":
	default:
		return false
	}
	for _, p := range madeUp {
		if rest, ok := strings.CutPrefix(w, p); ok && strings.ContainsAny(rest, "0123456789") {
			return true
		}
	}
	return false
}

// mark adds an operator or punctuation; false when the form is to end.
func (f *folder) mark(t token) bool {
	switch t.text {
	case "(", "[":
		return f.open(t)
	case ")", "]":
		f.close(t)
		return true
	case ",":
		f.closeAlt()
		f.closeItem()
		f.push(t)
		top := f.top()
		top.itemBefore, top.item = top.item, len(f.out)
		top.alt, top.altBefore = len(f.out), -1
		return true
	case ";":
		f.statementEnd(t)
		return true
	}
	f.push(t)
	return true
}

// statementEnd adds a semicolon unless nothing stands before it.
func (f *folder) statementEnd(t token) {
	f.closeAlt()
	f.closeItem()
	if len(f.out) > 0 && f.last(0) != ";" {
		f.push(t)
	}
	f.restart()
}

// open begins a level. It holds values when it follows IN, VALUES or ARRAY, or is a row in such a list.
func (f *folder) open(t token) bool {
	if len(f.frames) >= maxDepth {
		return false
	}
	before := f.last(0)
	list := before == "in" || before == "values" || before == "array" || t.text == "(" && before == "," && f.isRow()
	list = list || f.top().list && (before == "(" || before == "," || before == "[")
	f.push(t)
	f.frames = append(f.frames, frame{list: list, item: len(f.out), itemBefore: -1, alt: len(f.out), altBefore: -1})
	return true
}

// isRow tells whether the item before the comma is a row, so that this one is too: VALUES (...), (...
func (f *folder) isRow() bool {
	top := f.top()
	return top.itemBefore > 0 && f.out[top.itemBefore].text == "(" && f.out[top.itemBefore-1].text == "values"
}

// close ends a level. One that is not open is an ordinary token.
func (f *folder) close(t token) {
	f.closeAlt()
	f.closeItem()
	if len(f.frames) > 1 {
		f.frames = f.frames[:len(f.frames)-1]
	}
	f.push(t)
	if t.text == "]" {
		f.foldArray()
	}
}

// foldArray makes a value of an array of values: ARRAY[?] and, within one, [?].
func (f *folder) foldArray() {
	n := len(f.out)
	if n < 3 || f.out[n-2].text != "?" || f.out[n-3].text != "[" {
		return
	}
	switch before := f.last(3); {
	case before == "array":
		f.cut(n - 4)
	case (before == "[" || before == ",") && f.top().list:
		f.cut(n - 3)
	default:
		return
	}
	f.value()
}

// closeItem drops the item that has just ended when it is as the one before: a value in a list, or a row.
func (f *folder) closeItem() {
	top := f.top()
	if top.itemBefore < 0 || top.item > len(f.out) || top.item == len(f.out) {
		return
	}
	row := f.out[top.item].text == "("
	if (top.list || row) && f.same(top.itemBefore, top.item) {
		f.cut(top.item - 1)
		top.item, top.itemBefore = top.itemBefore, -1
	}
}

// closeAlt drops the alternative that has just ended when it is as the one before.
func (f *folder) closeAlt() {
	top := f.top()
	if top.altBefore >= 0 && top.alt < len(f.out) && f.same(top.altBefore, top.alt) {
		f.cut(top.alt - 1)
		top.alt, top.altBefore = top.altBefore, -1
	}
}

// same compares what lies between two places, without the separator at its end, with what follows the second.
func (f *folder) same(before, now int) bool {
	n := len(f.out) - now
	if n != now-1-before || n <= 0 {
		return false
	}
	for i := range n {
		if f.out[before+i] != f.out[now+i] {
			return false
		}
	}
	return true
}

// finish ends all levels that are open, and drops semicolons at the end.
func (f *folder) finish() {
	f.closeAlt()
	f.closeItem()
	for len(f.out) > 0 && f.last(0) == ";" {
		f.cut(len(f.out) - 1)
	}
}
