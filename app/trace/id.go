package trace

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// String is the id as 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads 32 hexadecimal digits, with or without the dashes of a UUID. An id of zeros is none.
func ParseID(text string) (id ID, ok bool) {
	if len(text) == 36 {
		text = strings.ReplaceAll(text, "-", "")
	}
	if len(text) != 32 {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(text))
	return id, err == nil && id != ID{}
}

// String is the id as 16 hexadecimal digits.
func (id SpanID) String() string {
	text := strconv.FormatUint(uint64(id), 16)
	return "0000000000000000"[len(text):] + text
}

// ParseSpanID reads 16 hexadecimal digits. Zero is none.
func ParseSpanID(text string) (SpanID, bool) {
	if len(text) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 16, 64)
	return SpanID(n), err == nil && n != 0
}
