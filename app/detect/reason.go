package detect

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Reason says why a detector found nothing in a request: the threshold that what came nearest did not reach.
type Reason struct {
	Kind Kind
	// Limit is the threshold's name as in Fields; Have and Need are in its unit. "" when there was nothing to compare.
	Limit      string
	Have, Need float64
	// Statement is what came nearest, without values.
	Statement string
	// Note says what no number says.
	Note string
	// Lost is how many spans the sender left out: with them it might have been found.
	Lost int
}

// String is the reason as a sentence for the request's page, without what came nearest.
func (r Reason) String() string {
	var words []string
	if r.Limit != "" {
		unit := unitOf(r.Limit)
		have := " " + unit
		if r.Have == 1 {
			have = one(have)
		}
		if unit == "ms" {
			have = " ms"
		}
		need := ""
		if unit == "ms" || unit == "%" {
			need = " " + unit
		}
		words = append(words, fmt.Sprintf("%s%s of %s%s needed", number(r.Have), have, number(r.Need), need))
	}
	if r.Note != "" {
		words = append(words, r.Note)
	}
	if r.Lost > 0 {
		words = append(words, fmt.Sprintf("the sender left out %d spans, which might have changed that", r.Lost))
	}
	return strings.Join(words, "; ")
}

// one is a unit of one: query of queries, repeat of repeats.
func one(units string) string {
	if stem, ok := strings.CutSuffix(units, "ies"); ok {
		return stem + "y"
	}
	return strings.TrimSuffix(units, "s")
}

func unitOf(limit string) string {
	for _, k := range known {
		if k.Name == limit {
			return k.Unit
		}
	}
	return ""
}

// number writes no more digits than tell it from what is needed.
func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func count(limit string, have, need int) Reason {
	return Reason{Limit: limit, Have: float64(have), Need: float64(need)}
}

// took compares times to the microsecond.
func took(limit string, have time.Duration, need int) Reason {
	return Reason{Limit: limit, Have: float64(have.Microseconds()) / 1000, Need: float64(need)}
}

func note(text string) Reason { return Reason{Note: text} }

const (
	off = "turned off for this endpoint"
	cut = "texts were cut off, so that different statements may look equal"
)
