package switches

import (
	"math"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// Suffixes that make of a switch's salt the salts of its other divisions, so that none follows another.
const (
	shareSalt = "/share/" // then the attribute: rules that ask for a share
	splitSalt = "/split/" // then the variant: which variant those get who are in
)

// Bucket is where an id lands among 100,000, as every one of our clients computes it:
//
//	h = mix(xxh64(id) XOR xxh64(salt)), seeds 0, of the UTF-8 bytes
//	bucket = the upper 64 bits of the 128-bit product h * 100000
//
// mix is the 64-bit finaliser of MurmurHash3 (Austin Appleby, public domain). It is what keeps switches with alike names, or ids
// that count upwards, from taking the same people.
func Bucket(salt, id string) int {
	return BucketOf(xxhash.Sum64String(salt), id)
}

// BucketOf is Bucket for those who have the salt's xxh64 at hand.
func BucketOf(seed uint64, id string) int { return scale(mix(xxhash.Sum64String(id) ^ seed)) }

// scale maps 64 bits evenly to a bucket, without a division.
func scale(h uint64) int {
	hi, _ := bits.Mul64(h, Buckets)
	return int(hi)
}

func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// lot is what a subject draws in the lottery for a variant of a weight: the largest wins, each variant with the chance of its
// weight (weighted rendezvous hashing). A weight that moves then moves those only who must: nobody changes between two
// variants whose weights stay as they are. u is never 0 or 1.
func lot(seed uint64, id uint64, weight float64) float64 {
	u := (float64(mix(id^seed)>>11) + 0.5) / (1 << 53)
	return math.Log(u) / weight
}

// Constants of MurmurHash3 x86 32 (Austin Appleby, public domain), and the seed of Unleash's clients for variants.
const (
	murmur1     = 0xcc9e2d51
	murmur2     = 0x1b873593
	unleashSeed = 86028157
)

// murmur3 is MurmurHash3 x86 32.
func murmur3(b []byte, seed uint32) uint32 {
	h, n := seed, uint32(len(b))
	for len(b) >= 4 {
		h ^= murmurWord(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
		b = b[4:]
	}
	var tail uint32
	for i, c := range b {
		tail |= uint32(c) << (8 * i)
	}
	if len(b) > 0 {
		h ^= murmurWord(tail)
	}
	h ^= n
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}

func murmurWord(k uint32) uint32 { return bits.RotateLeft32(k*murmur1, 15) * murmur2 }

// unleash is the number from 1 to n that Unleash's clients give an id in a group.
func unleash(group, id string, n, seed uint32) uint32 {
	var room [256]byte
	b := append(append(append(room[:0], group...), ':'), id...)
	return murmur3(b, seed)%n + 1
}

// unleashBucket puts Unleash's whole percent on our scale, so that bucket < percent * 1000 is its normalised <= percent.
func unleashBucket(group, id string) int { return int(unleash(group, id, 100, 0))*Buckets/100 - 1 }
