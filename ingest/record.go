package ingest

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// A record on disk, all numbers little-endian:
//
//	length   uint32   of everything after the checksum; 0 marks the end of what was written
//	checksum uint32   CRC-32C of everything after it
//	kind     uint8
//	id, project, key, received (milliseconds)   int64 each
//	event id 16 bytes; of requests and log lines their number instead, uint32 and zeros (all zero: not known)
//	ip       uint8 length and as many bytes
//	payload  the rest
const (
	recordHead  = 8
	recordFixed = 1 + 4*8 + 16 + 1
)

// maxRecord bounds the length field, so that a torn one is not taken for a huge record: above every limit that
// can be configured.
const maxRecord = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn marks bytes that are no whole record: the end of what was written, or damage.
var errTorn = errors.New("not a whole record")

// appendRecord encodes r.
func appendRecord(b []byte, r *Record) []byte {
	ip := r.RemoteIP
	if len(ip) > 255 {
		ip = ""
	}
	start := len(b)
	b = append(b, make([]byte, recordHead)...)
	b = append(b, byte(r.Kind))
	for _, n := range []int64{r.ID, r.Project, r.KeyID, r.Received.UnixMilli()} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	b = r.appendEvent(b)
	b = append(b, byte(len(ip)))
	b = append(b, ip...)
	b = append(b, r.Payload...)
	body := b[start+recordHead:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	return b
}

// counted tells whether a record has a number of items in place of an event's id.
func (r *Record) counted() bool { return r.Kind == KindRequests || r.Kind == KindLogs }

func (r *Record) appendEvent(b []byte) []byte {
	if !r.counted() {
		return append(b, r.EventID[:]...)
	}
	var field [16]byte
	binary.LittleEndian.PutUint32(field[:], uint32(r.Items))
	return append(b, field[:]...)
}

func (r *Record) parseEvent(field []byte) error {
	if !r.counted() {
		copy(r.EventID[:], field)
		return nil
	}
	if [12]byte(field[4:]) != [12]byte{} {
		return errTorn
	}
	r.Items = int(binary.LittleEndian.Uint32(field))
	return nil
}

// readLength is the size of the whole record that begins with head; errTorn when none does.
func readLength(head []byte) (int, error) {
	n := binary.LittleEndian.Uint32(head)
	if n < recordFixed || n > maxRecord {
		return 0, errTorn
	}
	return recordHead + int(n), nil
}

// parseRecord decodes one whole record. Its payload is a part of b.
func parseRecord(b []byte) (r Record, err error) {
	body := b[recordHead:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return r, errTorn
	}
	number := func(n int) int64 { return int64(binary.LittleEndian.Uint64(body[1+8*n:])) }
	r = Record{Kind: Kind(body[0]), ID: number(0), Project: number(1), KeyID: number(2), Received: time.UnixMilli(number(3)).UTC()}
	if err := r.parseEvent(body[33:49]); err != nil {
		return r, err
	}
	ip := int(body[49])
	if recordFixed+ip > len(body) {
		return r, errTorn
	}
	r.RemoteIP, r.Payload = string(body[50:50+ip]), body[50+ip:]
	return r, nil
}
