package switches

import (
	"fmt"
	"time"
)

// Duration is a time.Duration that is written as Go writes it: 24h, 15m.
type Duration time.Duration

// MarshalText writes 24h0m0s.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads 24h.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("cannot read duration: %w", err)
	}
	*d = Duration(v)
	return nil
}
