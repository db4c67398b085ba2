package pglog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"kibitz/ingest/sqltext"
)

// benchLog is jsonlog as an application writes it: 40 statements of some 200 bytes in turn, each with its parameters, and
// one of ten with literals of its own.
func benchLog(size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		sql := fmt.Sprintf(`SELECT \"auth_user\".\"id\", \"auth_user\".\"c%d\" FROM \"auth_user\" INNER JOIN \"orders\" ON (\"auth_user\".\"id\" = \"orders\".\"user_id\") WHERE \"orders\".\"total\" > $1 ORDER BY 1 LIMIT 21`, i%40)
		if i%10 == 0 {
			sql = fmt.Sprintf("UPDATE orders SET total = %d, note = 'a note'\\nWHERE id IN (%d, %d)", i, i*7, i*9)
		}
		fmt.Fprintf(&b, `{"timestamp":"2024-01-31 12:%02d:%02d.%03d UTC","user":"joe","dbname":"shop","pid":%d,"remote_host":"10.0.0.7","remote_port":5432,"session_id":"65ba0b7f.1267","line_num":%d,"ps":"SELECT","session_start":"2024-01-31 11:00:00 UTC","vxid":"4/12","txid":0,"error_severity":"LOG","message":"duration: %d.%03d ms  execute stmtcache_0123456789abcdef0123456789abcdef0123456789abcdef: %s","detail":"parameters: $1 = '%d'","application_name":"my app","backend_type":"client backend","query_id":-77}`+"\n",
			i/60000%60, i/1000%60, i%1000, 4700+i%20, i, i%37, i%1000, sql, i)
	}
	return b.Bytes()
}

// BenchmarkJSONLog reads and digests 32 MB of jsonlog: beside the digest of its one core, encoding/json on one core, and
// the search for line breaks, which is what memory allows.
func BenchmarkJSONLog(b *testing.B) {
	log := benchLog(32 << 20)
	b.Run("digest", func(b *testing.B) {
		b.SetBytes(int64(len(log)))
		for b.Loop() {
			forms := sqltext.NewNormalizer(32 << 20)
			d := NewDigest(forms)
			stats, err := Read(bytes.NewReader(log), Options{Normalizer: forms}, d.Add)
			if d.Close(); err != nil || stats.Malformed > 0 || d.Totals.Calls != stats.Lines {
				b.Fatal(err, stats, d.Totals)
			}
		}
	})
	b.Run("parse alone, one core", func(b *testing.B) {
		text := string(log)
		b.SetBytes(int64(len(log)))
		for b.Loop() {
			for line := range strings.Lines(text) {
				var e Entry
				if !parseJSON(line, &e) {
					b.Fatal(line)
				}
			}
		}
	})
	b.Run("peer: encoding_json, one core", func(b *testing.B) {
		b.SetBytes(int64(len(log)))
		for b.Loop() {
			for line := range bytes.Lines(log) {
				var e struct {
					Timestamp, User, Dbname, Message, Detail, Statement string
					Pid                                                 int
				}
				if err := json.Unmarshal(line, &e); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("limit: line breaks", func(b *testing.B) {
		b.SetBytes(int64(len(log)))
		for b.Loop() {
			for rest := log; len(rest) > 0; {
				rest = rest[bytes.IndexByte(rest, '\n')+1:]
			}
		}
	})
}

// BenchmarkStderr and the others read the same entries from the formats that one core reads.
func BenchmarkFormats(b *testing.B) {
	for format, line := range map[Format]string{
		Stderr: "2024-01-31 12:00:01.123 UTC [4711] joe@shop LOG:  duration: 1.500 ms  statement: SELECT a, b, c FROM orders\n\tWHERE id = 17 AND name = 'x'\n",
		CSV:    csvHead + "\n",
		Syslog: "Jan 31 12:00:01 db1 postgres[4711]: [5-1] LOG:  duration: 1.500 ms  statement: SELECT a, b, c FROM orders\nJan 31 12:00:01 db1 postgres[4711]: [5-2] #011WHERE id = 17\n",
	} {
		log := strings.Repeat(line, (8<<20)/len(line))
		b.Run(string(format), func(b *testing.B) {
			b.SetBytes(int64(len(log)))
			for b.Loop() {
				forms := sqltext.NewNormalizer(32 << 20)
				d := NewDigest(forms)
				if _, err := Read(strings.NewReader(log), Options{Normalizer: forms}, d.Add); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
