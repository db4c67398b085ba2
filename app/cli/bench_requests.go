package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"kibitz/app/config"
)

// requestsBench sends requests with six spans each, as an OpenTelemetry SDK batches them (protobuf, some 500 spans a message),
// to a server in another process, and counts what is acknowledged and what is stored.
type requestsBench struct {
	ingestBench
	path  string
	key   string
	asked int          // switches that each request names
	sent  atomic.Int64 // requests that were acknowledged
	posts []time.Duration
}

// requestsPerPost is how many requests with six spans an OpenTelemetry SDK sends at once: its batches are of 512 spans.
const requestsPerPost = 73

func benchRequests(ctx context.Context, c *call) error {
	f := c.flags("bench requests")
	b := &requestsBench{ingestBench: ingestBench{out: c.out, log: c.err}}
	f.DurationVar(&b.length, "for", 15*time.Second, "how long to send")
	f.IntVar(&b.senders, "senders", 8, "connections that send at once")
	f.IntVar(&b.asked, "switches", 0, "answers of switches that each request names, 50 at the most")
	f.StringVar(&b.data, "data", "", "directory for the server's data; a temporary one when empty")
	if err := f.Parse(c.args[1:]); err != nil || f.NArg() > 0 {
		return errUsage
	}
	return inBenchDir(&b.data, func() error { return b.bench(ctx) })
}

func (b *requestsBench) bench(ctx context.Context) error {
	if err := b.chooseAddress(); err != nil {
		return err
	}
	server, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	u, err := url.Parse(server.dsn)
	if err != nil {
		return fmt.Errorf("cannot read the server's DSN: %w", err)
	}
	b.key, b.path = u.User.Username(), "http://"+b.address+"/v1/traces"
	fmt.Fprintf(b.out, "disk: %s\n", b.measureDisk())
	fmt.Fprintf(b.out, "only making and copying the messages: %.0f requests/s of one core\n", b.generatorAlone())
	began := time.Now()
	b.loadRequests(ctx)
	return b.reportRequests(ctx, began, time.Since(began))
}

// generatorAlone is what the sender could do against nothing.
func (b *requestsBench) generatorAlone() float64 {
	m := newMessage(mathrand.New(mathrand.NewPCG(1, 2)), b.asked)
	n, began := 0, time.Now()
	for ; time.Since(began) < 300*time.Millisecond; n++ {
		m.renew()
	}
	return float64(n*requestsPerPost) / time.Since(began).Seconds()
}

func (b *requestsBench) loadRequests(ctx context.Context) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	client := &fasthttp.HostClient{Addr: b.address, MaxConns: b.senders + 1, ReadTimeout: 10 * time.Second, MaxIdemponentCallAttempts: 1}
	for n := range b.senders {
		wg.Go(func() { b.sendRequests(client, n, stop) })
	}
	select {
	case <-ctx.Done():
	case <-time.After(b.length):
	}
	close(stop)
	wg.Wait()
}

func (b *requestsBench) sendRequests(client *fasthttp.HostClient, n int, stop chan struct{}) {
	m := newMessage(mathrand.New(mathrand.NewPCG(uint64(n), uint64(time.Now().UnixNano()))), b.asked)
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.Header.SetMethod("POST")
	req.SetRequestURI(b.path)
	req.Header.Set("Authorization", "Bearer "+b.key)
	req.Header.SetContentType("application/x-protobuf")
	for {
		select {
		case <-stop:
			return
		default:
		}
		m.renew()
		req.SetBodyRaw(m.body)
		b.bytes.Add(int64(len(m.body)))
		began := time.Now()
		if err := client.Do(req, res); err != nil || res.StatusCode() != fasthttp.StatusOK {
			b.failed.Add(1)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		b.sent.Add(requestsPerPost)
		b.mu.Lock()
		b.posts = append(b.posts, time.Since(began))
		b.mu.Unlock()
	}
}

func (b *requestsBench) reportRequests(ctx context.Context, began time.Time, sent time.Duration) error {
	n := b.sent.Load()
	if n == 0 {
		return errors.New("no request was acknowledged")
	}
	slices.Sort(b.posts)
	at := func(q float64) time.Duration {
		return b.posts[min(int(q*float64(len(b.posts))), len(b.posts)-1)].Round(10 * time.Microsecond)
	}
	fmt.Fprintf(b.out, "acknowledged: %d requests with 6 spans in %s = %.0f/s (%d bytes a message of %d), p50 %s, p99 %s, refused or cut %d\n", n,
		sent.Round(time.Millisecond), float64(n)/sent.Seconds(), b.bytes.Load()/int64(len(b.posts)), requestsPerPost, at(0.5), at(0.99), b.failed.Load())
	stored, kept, err := b.countRequests(ctx, n)
	if err != nil {
		return err
	}
	all := time.Since(began)
	fmt.Fprintf(b.out, "stored: %d in %s = %.0f/s, the spans of %d kept\n", stored, all.Round(time.Millisecond), float64(stored)/all.Seconds(), kept)
	if stored != n {
		return fmt.Errorf("%d requests were acknowledged and %d stored", n, stored)
	}
	return nil
}

// countRequests waits beside the running server until all requests are stored, or no more of them come.
func (b *requestsBench) countRequests(ctx context.Context, want int64) (stored, kept int64, err error) {
	cfg, err := config.Load("", nil, b.settings())
	if err != nil {
		return 0, 0, err
	}
	c := &call{out: io.Discard, err: b.log, config: cfg, log: newLogger(cfg, b.log)}
	err = withStore(ctx, c, func(p *Program) error {
		last, still := int64(-1), 0
		for still < 20 && ctx.Err() == nil {
			if stored, kept, err = p.Store.CountRequests(ctx, b.project); err != nil || stored >= want {
				return err
			}
			if still++; stored != last {
				last, still = stored, 0
			}
			select {
			case <-ctx.Done():
			case <-time.After(250 * time.Millisecond):
			}
		}
		return ctx.Err()
	})
	return stored, kept, err
}

// message is an ExportTraceServiceRequest of requestsPerPost requests with six spans each, in protobuf
// (https://github.com/open-telemetry/opentelemetry-proto). It is made once; renew gives its traces new ids.
type message struct {
	body []byte
	r    *mathrand.Rand
	ids  [][]int // where each request's trace id stands
	// asked is how many answers of switches each request names.
	asked int
}

func newMessage(r *mathrand.Rand, asked int) *message {
	m := &message{r: r, asked: min(asked, 50)}
	var spans []byte
	for i := range requestsPerPost {
		for k := range 7 {
			spans = appendField(spans, 2, m.span(i, k))
		}
	}
	resource := appendField(nil, 1, attribute("service.name", "shop"))
	resource = appendField(resource, 1, attribute("service.version", "shop@4.18.0"))
	m.body = appendField(nil, 1, append(appendField(nil, 1, resource), appendField(nil, 2, spans)...))
	m.ids = make([][]int, requestsPerPost)
	for at := 0; at < len(m.body); at++ {
		if strings.HasPrefix(string(m.body[at:min(at+len(traceMark), len(m.body))]), traceMark) {
			n := binary.BigEndian.Uint32(m.body[at+len(traceMark):])
			m.ids[n] = append(m.ids[n], at)
		}
	}
	return m
}

// traceMark stands where a trace id belongs, and four bytes with the number of the request behind it.
const traceMark = "kibitz-trace"

func (m *message) renew() {
	for _, places := range m.ids {
		hi, lo := m.r.Uint64(), m.r.Uint64()
		for _, at := range places {
			binary.LittleEndian.PutUint64(m.body[at:], hi)
			binary.LittleEndian.PutUint64(m.body[at+8:], lo|1)
		}
	}
}

// benchSpans are what a request of the bench does: three queries, a cache read, a call and a template.
var benchSpans = []struct {
	name       string
	attributes [][2]string
	micros     uint64
}{
	{"", nil, 42_000},
	{"SELECT", [][2]string{{"db.system.name", "postgresql"}, {"db.query.text", "SELECT id, name, price FROM product WHERE id = $1"}, {"code.file.path", "shop/views.py"}}, 2_000},
	{"SELECT", [][2]string{{"db.system.name", "postgresql"}, {"db.query.text", "SELECT * FROM cart JOIN line ON line.cart_id = cart.id WHERE cart.user_id = $1"}}, 5_000},
	{"UPDATE", [][2]string{{"db.system.name", "postgresql"}, {"db.query.text", "UPDATE cart SET seen_at = now() WHERE id = $1"}}, 3_000},
	{"GET", [][2]string{{"db.system.name", "redis"}, {"db.query.text", "GET price:NZD:1"}}, 300},
	{"GET", [][2]string{{"http.request.method", "GET"}, {"url.full", "https://rates.example/v2/quote"}}, 12_000},
	{"render cart.html", [][2]string{{"template.name", "cart.html"}}, 4_000},
}

// span is span k of request i; span 0 is the request.
func (m *message) span(i, k int) []byte {
	s := &benchSpans[k]
	id := binary.BigEndian.AppendUint32([]byte(traceMark), uint32(i))
	b := appendField(nil, 1, id)
	b = appendField(b, 2, binary.BigEndian.AppendUint64(nil, uint64(i*10+k+1)))
	start := uint64(time.Now().UnixNano())
	took := s.micros*1000 + uint64(m.r.ExpFloat64()*float64(s.micros)*300)
	if k == 0 {
		route := fmt.Sprintf("/shop/%d/{id}", i%20)
		b = append(appendField(b, 5, []byte("GET "+route)), 6<<3, 2) // kind SERVER
		for _, a := range [][2]string{{"http.request.method", "GET"}, {"http.route", route}, {"http.response.status_code", "200"}} {
			b = appendField(b, 9, attribute(a[0], a[1]))
		}
		b = m.answers(b)
	} else {
		b = appendField(b, 4, binary.BigEndian.AppendUint64(nil, uint64(i*10+1)))
		b = append(appendField(b, 5, []byte(s.name)), 6<<3, 3) // kind CLIENT
		start += uint64(k) * 5_000_000
	}
	b = binary.LittleEndian.AppendUint64(append(b, 7<<3|1), start)
	b = binary.LittleEndian.AppendUint64(append(b, 8<<3|1), start+took)
	for _, a := range s.attributes {
		b = appendField(b, 9, attribute(a[0], a[1]))
	}
	return b
}

// answers adds what a request names of switches, each on for every other request. Nobody is known, so each is a subject of its own.
func (m *message) answers(b []byte) []byte {
	for n := range m.asked {
		b = appendField(b, 9, attribute(fmt.Sprint("flag.evaluation.switch", n), []string{"on", "off"}[m.r.IntN(2)]))
	}
	return b
}

// appendField adds a length-delimited field.
func appendField(b []byte, number int, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(number)<<3|2)
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// attribute is a KeyValue of a string.
func attribute(key, value string) []byte {
	return appendField(appendField(nil, 1, []byte(key)), 2, appendField(nil, 1, []byte(value)))
}
