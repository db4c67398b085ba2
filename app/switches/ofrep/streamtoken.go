package ofrep

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// StreamPeriod is how long an address of a stream is the same. It is good for one to two of them, so that a client that keeps its
// address, as long as answers do not change, always has one that is.
const StreamPeriod = 6 * time.Hour

// StreamToken is what lets a page listen to changes, in the address since EventSource sends no headers: it tells nothing but that
// something changed, of one environment.
type StreamToken struct {
	Token       int64 // id of the token that it was given for
	Expires     time.Time
	Environment string
}

// NewStreamToken is the one in force at now.
func NewStreamToken(token int64, environment string, now time.Time) StreamToken {
	return StreamToken{token, now.Truncate(StreamPeriod).Add(2 * StreamPeriod), environment}
}

const (
	streamHead = 16
	streamSum  = 16 // bytes of the HMAC that are kept
)

// Text is the token for an address, signed.
func (s StreamToken) Text(key []byte) string {
	b := make([]byte, 0, streamHead+len(s.Environment)+streamSum)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Token))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Expires.Unix()))
	b = append(b, s.Environment...)
	return base64.RawURLEncoding.EncodeToString(append(b, signed(key, b)...))
}

func signed(key, b []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("stream\x00"))
	h.Write(b)
	return h.Sum(nil)[:streamSum]
}

// ReadStreamToken reads one; ok is false when it is not ours, was changed, or has expired.
func ReadStreamToken(text string, key []byte, now time.Time) (s StreamToken, ok bool) {
	if len(text) > 1024 {
		return s, false
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < streamHead+streamSum {
		return s, false
	}
	body, sum := b[:len(b)-streamSum], b[len(b)-streamSum:]
	if !hmac.Equal(signed(key, body), sum) {
		return s, false
	}
	s = StreamToken{int64(binary.BigEndian.Uint64(body)), time.Unix(int64(binary.BigEndian.Uint64(body[8:])), 0), string(body[streamHead:])}
	return s, now.Before(s.Expires)
}
