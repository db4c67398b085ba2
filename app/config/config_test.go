package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, file string, env ...string) *Config {
	t.Helper()
	c, err := Load("kibitz.toml", []byte(file), env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSources(t *testing.T) {
	t.Parallel()
	c := load(t, "listen = \":1\"\ndata = \"here\"\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n[spool]\nmax_size = \"1GiB\"\n[database.ops]\nprimary = \"postgres://ops\"",
		"KIBITZ_LISTEN=:2", "KIBITZ_INGEST_ITEMS=7", "HOME=/", "KIBITZ_DATABASE_USERS_REPLICAS=a, b")
	if c.Listen != ":2" || c.Data != "here" || c.Spool.MaxSize != 1<<30 || c.Ingest.Items != 7 || c.Log.Level != "info" {
		t.Errorf("got %+v", c)
	}
	if len(c.TrustedProxies) != 2 || c.Database.Parts["ops"].Primary != "postgres://ops" || len(c.Database.Parts["users"].Replicas) != 2 {
		t.Errorf("got %+v %+v", c.TrustedProxies, c.Database.Parts["ops"])
	}
}

// TestWrong holds that a wrong value names the key, the value and what is allowed.
func TestWrong(t *testing.T) {
	t.Parallel()
	cases := []struct{ file, env, want string }{
		{"listen = 8000", "", `listen: "8000" is wrong: write host:port`},
		{"", "KIBITZ_LISTEN=nowhere", `listen (KIBITZ_LISTEN): "nowhere" is wrong`},
		{"", "KIBITZ_LOG_LEVEL=loud", "it is one of debug, info, warn, error"},
		{"", "KIBITZ_SPOOL_MAX_SIZE=12parsec", "it is a size from 4MiB"},
		{"", "KIBITZ_INGEST_ITEMS=0", "it is a whole number from 1 to 10000"},
		{"", "KIBITZ_SPOOL_HIGH_WATER=NaN", "it is a number above 0"},
		{"", "KIBITZ_PUBLIC_URL=ftp://x", "write http:// or https://"},
		{"", "KIBITZ_TRUSTED_PROXIES=everyone", "write addresses or networks"},
		{"", "KIBITZ_NODE=a/b", "use letters"},
		{"", "KIBITZ_DATA=", "it must not be empty"},
		{"", "KIBITZ_MEMORY_LIMIT=1", "it is a size from 64MiB"},
		{"", "KIBITZ_ADMIN_EMAIL=a@b.c", "give both or neither"},
		{"", "KIBITZ_SPOOL_MAX_SIZE=64MiB", "at least twice"},
		{"", "KIBITZ_INGEST_IN_FLIGHT=1MiB", "ingest.in_flight"},
		{"", "KIBITZ_INGEST_ENVELOPE_SIZE=64KiB", "ingest.event_size"},
		{"", "KIBITZ_SYSLOG_SOCKET_MODE=rw", "it is an octal number"},
		{"", "KIBITZ_SYSLOG_TLS_CERT=a", "give both or neither"},
		{"", "KIBITZ_SYSLOG_BUFFER=64KiB", "four times"},
		{"", "KIBITZ_METRICS_ENDPOINTS=0", "it is a whole number from 1"},
		{"", "KIBITZ_OTLP_FORWARD_HEADERS=Authorization", "otlp.forward_headers (KIBITZ_OTLP_FORWARD_HEADERS): (secret) is wrong: write name=value"},
		{"", "KIBITZ_OTLP_FORWARD_HEADERS=a b=1", "write name=value"},
		{"", "KIBITZ_OTLP_FORWARD_HEADERS=a=%zz", "write name=value"},
		{"", "KIBITZ_OTLP_FORWARD_HEADERS=a=1%0d%0ab:2", "write name=value"},
		{"lisen = \":1\"", "", `there is no setting "lisen"`},
		{"listen = ", "", "line 1"},
	}
	for _, c := range cases {
		_, err := Load("kibitz.toml", []byte(c.file), []string{c.env})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: got %v, want %q", c.file, c.env, err, c.want)
		}
	}
}

func TestAllWrongAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Load("", nil, []string{"KIBITZ_LISTEN=x", "KIBITZ_LOG_FORMAT=y"})
	if err == nil || !strings.Contains(err.Error(), "listen") || !strings.Contains(err.Error(), "log.format") {
		t.Errorf("got %v", err)
	}
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	c := load(t, "", "KIBITZ_LISTN=:1", "KIBITZ_CONFIG=x")
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "KIBITZ_LISTN") {
		t.Errorf("got %q", c.Warnings)
	}
}

// TestDumpRoundTrip holds that what is printed can be read again, and that no secret is printed.
func TestDumpRoundTrip(t *testing.T) {
	t.Parallel()
	c := load(t, "", "KIBITZ_ADMIN_EMAIL=a@b.c", "KIBITZ_ADMIN_PASSWORD=hunter2hunter2", "KIBITZ_DATABASE_OPS_PRIMARY=postgres://u:hunter3@h/db", "KIBITZ_LISTEN=:9")
	var out, js bytes.Buffer
	if err := c.Dump(&out); err != nil {
		t.Fatal(err)
	}
	if err := c.DumpJSON(&js); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{out.String(), js.String()} {
		if strings.Contains(text, "hunter") || !strings.Contains(text, "(redacted)") {
			t.Errorf("a secret is printed:\n%s", text)
		}
	}
	again := load(t, out.String())
	if again.Listen != ":9" || again.Spool.MaxSize != c.Spool.MaxSize || again.Ingest != c.Ingest {
		t.Errorf("got %+v", again)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range table() {
		if seen[s.Key] || s.Help == "" {
			t.Errorf("%s: named twice or without help", s.Key)
		}
		seen[s.Key] = true
	}
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	info := file("meminfo", "MemTotal:       8388608 kB\nMemFree: 1 kB\n")
	none := filepath.Join(dir, "none")
	cases := []struct {
		m      machine
		limit  int64
		source string
	}{
		{machine{file("max", "max\n"), none, info}, 2 << 30, "machine"},
		{machine{file("1g", "1073741824\n"), none, info}, 644245094, "container"},
		{machine{none, file("v1", "9223372036854771712\n"), info}, 2 << 30, "machine"},
		{machine{file("tiny", "104857600"), none, info}, leastLimit, "container"},
		{machine{none, none, none}, 0, "unknown"},
	}
	for _, c := range cases {
		if limit, source := c.m.limit(); limit != c.limit || source != c.source {
			t.Errorf("%+v: got %d from %s, want %d from %s", c.m, limit, source, c.limit, c.source)
		}
	}
}

// TestHeaders holds how headers are written, and that they are not shown.
func TestHeaders(t *testing.T) {
	t.Parallel()
	c := load(t, "[otlp]\nforward = \"https://x.example\"\nforward_headers = \"Authorization=Bearer%20k%2C1, x-scope=a\"")
	if h := c.OTLP.Headers; len(h) != 2 || h.Get("Authorization") != "Bearer k,1" || h.Get("X-Scope") != "a" || c.OTLP.Queue != 32<<20 {
		t.Errorf("got %+v", c.OTLP)
	}
	var out bytes.Buffer
	if err := c.Dump(&out); err != nil || strings.Contains(out.String(), "Bearer%20k") || !strings.Contains(out.String(), `otlp.forward_headers = "(redacted)"`) {
		t.Errorf("%v\n%s", err, out.String())
	}
	again := load(t, "", "KIBITZ_OTLP_FORWARD_HEADERS="+headers{&c.OTLP.Headers}.show())
	if len(again.OTLP.Headers) != 2 || again.OTLP.Headers.Get("Authorization") != "Bearer k,1" {
		t.Errorf("what is shown is read as %v", again.OTLP.Headers)
	}
}
