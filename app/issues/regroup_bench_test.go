package issues

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

// BenchmarkRegroup is what a core does for one stored event of a rehearsal: inflate, parse, group.
func BenchmarkRegroup(b *testing.B) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	var bodies [][]byte
	for i := range envelope.Faults {
		bodies = append(bodies, z.EncodeAll(envelope.SampleEvent(r, i, "", time.Now()), nil))
	}
	again, err := newRegrouper(grouping.Setup{})
	if err != nil {
		b.Fatal(err)
	}
	defer again.close()
	var hashes [][16]byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		result, err := again.event(bodies[i%len(bodies)])
		if err != nil {
			b.Fatal(err)
		}
		hashes = appendHashes(hashes[:0], result)
	}
}
