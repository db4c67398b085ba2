package guard

import (
	"fmt"
	"math"
	"slices"
)

// spreadQuantile is which of the hours' dispersions stands for the day: high enough for its busy hours, and not moved by
// one incident.
const spreadQuantile = 0.75

// Dispersion is how much more an endpoint's counts of failures vary than those of independent events do: 1 when they are
// independent, some five when each cause makes five failures. Hours are those of the past day, each its counts by window.
// An hour's variance is that of successive differences (von Neumann 1941), so that a daily rhythm does not count as
// variance; the day's figure is the 75th percentile of its hours, so that one incident does not. It is never below 1, and
// 1 without any failure. Dividing by it is a heuristic, without a proof: it costs time to detect in proportion.
func Dispersion(hours [][]int64) (float64, error) {
	var found []float64
	for i, hour := range hours {
		phi, ok, err := dispersionOf(hour)
		if err != nil {
			return 0, fmt.Errorf("cannot measure dispersion of hour %d: %w", i, err)
		}
		if ok {
			found = append(found, phi)
		}
	}
	if len(found) == 0 {
		return 1, nil
	}
	slices.Sort(found)
	rank := int(math.Ceil(spreadQuantile*float64(len(found)))) - 1
	return max(found[rank], 1), nil
}

// dispersionOf is the variance by successive differences over the mean; an hour without failures, or with one window, says
// nothing.
func dispersionOf(hour []int64) (phi float64, ok bool, err error) {
	var sum, squares float64
	for i, n := range hour {
		if n < 0 || n > MaxCount {
			return 0, false, fmt.Errorf("a count of %d is not from 0 to %d", n, int64(MaxCount))
		}
		sum += float64(n)
		if i > 0 {
			d := float64(n) - float64(hour[i-1])
			squares += d * d
		}
	}
	if len(hour) < 2 || sum == 0 {
		return 0, false, nil
	}
	return squares / (2 * float64(len(hour)-1)) / (sum / float64(len(hour))), true, nil
}
