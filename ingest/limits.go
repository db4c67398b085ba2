package ingest

// Limits bound what one request may cost. Sizes are in bytes. Each has a name in the message that refuses.
type Limits struct {
	EnvelopeWire int // an envelope as it arrives, compressed or not
	StoreWire    int // a body of the old store endpoint as it arrives
	EnvelopeSize int // an envelope after decompression
	EventSize    int // the JSON of one event
	// ContainerSize is an item of spans or of log lines, which holds up to a thousand.
	ContainerSize int
	Items         int // items of one envelope
	JSONDepth     int // nesting of an event's JSON
	JSONNodes     int // values in an event's JSON
	HeaderLine    int // a header line within an envelope
	OTLPWire      int // a message of OpenTelemetry as it arrives
	OTLPSize      int // a message of OpenTelemetry after decompression
	OTLPItems     int // spans or log records of a message of OpenTelemetry
	PGLogWire     int // a piece of a PostgreSQL log as it arrives
	PGLogSize     int // the same after decompression
	// InFlight bounds the inflated bytes of all requests that are being read at once.
	InFlight int
	// HighWater is the share of the spool's greatest size from which on the server says that it is not ready,
	// so that a balancer sends elsewhere while there is room yet.
	HighWater float64
}

// DefaultLimits are those of a small machine: Sentry's own sizes where it documents them.
func DefaultLimits() Limits {
	return Limits{EnvelopeWire: 20 << 20, StoreWire: 1 << 20, EnvelopeSize: 100 << 20, EventSize: 1 << 20, Items: 100, JSONDepth: 128,
		JSONNodes: 100_000, ContainerSize: 8 << 20, HeaderLine: 8 << 10, OTLPWire: 20 << 20, OTLPSize: 64 << 20, OTLPItems: 100_000, PGLogWire: 20 << 20, PGLogSize: 1 << 30, InFlight: 256 << 20, HighWater: 0.8}
}
