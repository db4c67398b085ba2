package health

import (
	"fmt"
	"strconv"
	"time"
)

// Bytes writes a size with three figures at most: 1.26 GB. Units are powers of 1,024, as PostgreSQL's are.
func Bytes(n int64) string {
	if n < 0 {
		return "-" + Bytes(-n)
	}
	size, units := float64(n), []string{"B", "kB", "MB", "GB", "TB", "PB"}
	unit := 0
	for size >= 1000 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	return figures(size) + " " + units[unit]
}

// Count writes a number with three figures at most: 12.9 k, 38.1 M.
func Count(n int64) string {
	if n < 0 {
		return "-" + Count(-n)
	}
	size, units := float64(n), []string{"", " k", " M", " G", " T"}
	unit := 0
	for size >= 1000 && unit < len(units)-1 {
		size, unit = size/1000, unit+1
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10)
	}
	return figures(size) + units[unit]
}

// figures writes three figures at most.
func figures(f float64) string {
	switch {
	case f >= 99.95:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case f >= 9.995:
		return trimmed(strconv.FormatFloat(f, 'f', 1, 64))
	}
	return trimmed(strconv.FormatFloat(f, 'f', 2, 64))
}

func trimmed(s string) string {
	for len(s) > 1 && s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		return s[:len(s)-1]
	}
	return s
}

// Span writes a duration in its two largest units at most: 3 d 4 h, 41 s, 12 ms.
func Span(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return figures(d.Seconds()) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// percent writes a share; close to the whole it gets more figures, since 99.95 is not 100.
func percent(share float64) string {
	p := share * 100
	if p > 99 && p < 100 {
		return strconv.FormatFloat(float64(int(p*100))/100, 'f', 2, 64)
	}
	return trimmed(strconv.FormatFloat(p, 'f', 1, 64))
}

func plural(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + several
}
