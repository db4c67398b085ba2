package switches_test

import (
	"testing"

	"kibitz/app/switches/benchmark"
)

// BenchmarkFloor is the hash of an id alone, on all cores.
func BenchmarkFloor(b *testing.B) { benchmark.Floor(b) }

// BenchmarkShare is a switch with a percentage, counted, on all cores.
func BenchmarkShare(b *testing.B) { benchmark.Task(benchmark.Share)(b) }

// BenchmarkRules is a switch with two attributes and a percentage, counted, on all cores.
func BenchmarkRules(b *testing.B) { benchmark.Task(benchmark.Rules)(b) }
