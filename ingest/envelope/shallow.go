package envelope

// cutHere stands in the place of what was nested too deep.
const cutHere = `"(nested too deep)"`

// Shallow is JSON without what is nested deeper than depth: a text stands in its place, so that the rest of an event is
// kept. JSON that is shallow enough is given back as it is. It does not check whether it is JSON.
func Shallow(b []byte, depth int) []byte {
	if deep(b, depth, len(b)+1) == nil {
		return b
	}
	var out []byte
	at, from := 0, 0 // how deep we are, and what is not in out yet; from is len(b) within what is left out
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = endOfString(b, i+1)
		case '{', '[':
			if at++; at == depth+1 {
				out = append(append(out, b[from:i]...), cutHere...)
				from = len(b)
			}
		case '}', ']':
			if at--; at == depth && from == len(b) {
				from = i + 1
			}
		}
	}
	return append(out, b[from:]...)
}
