package otlp

import (
	"math"
	"strconv"
	"strings"
)

// Weight is how many spans one stands for, from its tracestate
// (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/): the member ot holds th, the threshold below
// which spans are dropped, as a fraction of 2^56 whose trailing zeros are left out; or in older SDKs p, the power of
// two of the share. It is from 1 to 1,000,000, and 1 when nothing is told.
func Weight(tracestate string) float64 {
	for member := range strings.SplitSeq(tracestate, ",") {
		value, ok := strings.CutPrefix(strings.TrimSpace(member), "ot=")
		if !ok {
			continue
		}
		for field := range strings.SplitSeq(value, ";") {
			name, text, _ := strings.Cut(field, ":")
			if w := weightOf(name, text); w >= 1 {
				return min(w, maxWeight)
			}
		}
	}
	return 1
}

// weightOf is 0 for what tells no weight.
func weightOf(name, text string) float64 {
	switch name {
	case "th":
		if len(text) == 0 || len(text) > 14 {
			return 0
		}
		n, err := strconv.ParseUint(text+strings.Repeat("0", 14-len(text)), 16, 64)
		if err != nil {
			return 0
		}
		return 1 / (1 - float64(n)/(1<<56))
	case "p":
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil || n > 62 {
			return 0
		}
		return math.Exp2(float64(n))
	}
	return 0
}
