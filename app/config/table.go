package config

import (
	"os"
	"runtime"
	"slices"
	"strings"
)

// Setting is one line of the table.
type Setting struct {
	Key     string
	Default string
	Help    string
	Secret  bool
	bind    func(*Config) value
}

// Variable is the environment variable of a setting: KIBITZ_ and the key in capitals.
func (s Setting) Variable() string {
	return "KIBITZ_" + strings.ToUpper(strings.ReplaceAll(s.Key, ".", "_"))
}

var partitions = []string{"forums", "posts", "users", "ops"}

// table is every setting there is.
func table() []Setting {
	t := []Setting{
		{"listen", "127.0.0.1:8000", "address that HTTP is served on", false, func(c *Config) value { return address{&c.Listen} }},
		{"data", "./data", "directory of everything on disk: spool and embedded PostgreSQL", false, func(c *Config) value { return required{&c.Data} }},
		{"public_url", "", "address under which browsers and SDKs reach us; from listen when empty", false, func(c *Config) value { return link{&c.PublicURL} }},
		{"node", hostname(), "name of this process among those that share a database", false, func(c *Config) value { return nodeName{&c.Node} }},
		{"trusted_proxies", "", "networks whose X-Forwarded-For is believed, with commas between", false, func(c *Config) value { return networks{&c.TrustedProxies} }},
		{"memory_limit", "auto", "soft limit of this process's memory; auto: from the container or machine (GOMEMLIMIT rules both)", false,
			func(c *Config) value { return autoSize{&c.MemoryLimit} }},
		{"log.level", "info", "least severe lines that are logged", false, func(c *Config) value { return choice{&c.Log.Level, []string{"debug", "info", "warn", "error"}} }},
		{"log.format", "text", "form of the log", false, func(c *Config) value { return choice{&c.Log.Format, []string{"text", "json"}} }},
		{"admin.email", "", "owner made at the first start, instead of by the setup link", false, func(c *Config) value { return text{&c.Admin.Email} }},
		{"admin.password", "", "that owner's password", true, func(c *Config) value { return text{&c.Admin.Password} }},
		{"postgres.bin", "", "directory of initdb and postgres; found by itself when empty", false, func(c *Config) value { return text{&c.Postgres.Bin} }},
		{"database.pool.web", "8", "connections of each partition for pages", false, func(c *Config) value { return number{&c.Database.Pool.Web, 1, 500} }},
		{"database.pool.ingest", "2", "connections of each partition for the drain", false, func(c *Config) value { return number{&c.Database.Pool.Ingest, 1, 100} }},
		{"database.pool.jobs", "2", "connections of each partition for jobs", false, func(c *Config) value { return number{&c.Database.Pool.Jobs, 1, 100} }},
		{"spool.segment_size", "64MiB", "size of a spool file", false, func(c *Config) value { return size{&c.Spool.SegmentSize, 1 << 20, 1 << 30} }},
		{"spool.max_size", "4GiB", "what the spool may hold while the database is away", false, func(c *Config) value { return size{&c.Spool.MaxSize, 4 << 20, 1 << 42} }},
		{"spool.high_water", "0.8", "share of that from which on we are not ready for more", false, func(c *Config) value { return share{&c.Spool.HighWater} }},
	}
	t = append(t, doorsTable()...)
	return slices.Concat(t, ingestTable(), syslogTable(), pglogTable(), perfTable(), switchesTable(), exportTable(), reportTable(), databaseTable())
}

// ingestTable is the limits of what is taken.
func ingestTable() []Setting {
	return []Setting{
		{"ingest.envelope_wire", "20MiB", "an envelope as it arrives, compressed or not", false, func(c *Config) value { return smallSize{&c.Ingest.EnvelopeWire, 1 << 10, 512 << 20} }},
		{"ingest.store_wire", "1MiB", "a body of the store endpoint as it arrives", false, func(c *Config) value { return smallSize{&c.Ingest.StoreWire, 1 << 10, 512 << 20} }},
		{"ingest.envelope_size", "100MiB", "an envelope after decompression", false, func(c *Config) value { return smallSize{&c.Ingest.EnvelopeSize, 1 << 10, 1 << 30} }},
		{"ingest.in_flight", "256MiB", "all inflated bodies that are being read at once", false, func(c *Config) value { return smallSize{&c.Ingest.InFlight, 1 << 20, 1 << 36} }},
		{"ingest.event_size", "1MiB", "the JSON of one event", false, func(c *Config) value { return smallSize{&c.Ingest.EventSize, 1 << 10, 32 << 20} }},
		{"ingest.container_size", "8MiB", "an envelope's item of spans or of log lines", false, func(c *Config) value { return smallSize{&c.Ingest.ContainerSize, 1 << 10, 100 << 20} }},
		{"ingest.otlp_wire", "20MiB", "a message of OpenTelemetry as it arrives", false, func(c *Config) value { return smallSize{&c.Ingest.OTLPWire, 1 << 10, 512 << 20} }},
		{"ingest.otlp_size", "64MiB", "a message of OpenTelemetry after decompression", false, func(c *Config) value { return smallSize{&c.Ingest.OTLPSize, 1 << 10, 1 << 30} }},
		{"ingest.otlp_items", "100000", "spans or log records of a message of OpenTelemetry", false, func(c *Config) value { return number{&c.Ingest.OTLPItems, 1, 10_000_000} }},
		{"ingest.pglog_wire", "20MiB", "a piece of a PostgreSQL log as it arrives", false, func(c *Config) value { return smallSize{&c.Ingest.PGLogWire, 1 << 10, 512 << 20} }},
		{"ingest.pglog_size", "1GiB", "the same after decompression; it is read as it is inflated, and never held whole", false,
			func(c *Config) value { return smallSize{&c.Ingest.PGLogSize, 1 << 10, 1 << 36} }},
		{"ingest.header_line", "8KiB", "a header line within an envelope", false, func(c *Config) value { return smallSize{&c.Ingest.HeaderLine, 1 << 8, 1 << 20} }},
		{"ingest.items", "100", "items of one envelope", false, func(c *Config) value { return number{&c.Ingest.Items, 1, 10_000} }},
		{"ingest.json_depth", "128", "nesting of an event's JSON; what is deeper is cut", false, func(c *Config) value { return number{&c.Ingest.JSONDepth, 8, 250} }},
		{"ingest.json_nodes", "100000", "values in an event's JSON", false, func(c *Config) value { return number{&c.Ingest.JSONNodes, 1000, 10_000_000} }},
	}
}

// syslogTable is the syslog door. Its keys have no dots, since syslog is a key itself.
func syslogTable() []Setting {
	return []Setting{
		{"syslog", "", "where syslog is taken: udp://127.0.0.1:5514,tcp://127.0.0.1:5514,tls://0.0.0.0:6514,unix:///run/kibitz/log,unixstream:///run/kibitz/stream", false,
			func(c *Config) value { return list{&c.Syslog.Listen} }},
		{"syslog_allow", "", "networks that may send beside this machine, with commas between; needed to listen on more than loopback", false,
			func(c *Config) value { return networks{&c.Syslog.Allow} }},
		{"syslog_project", "default", "project of messages that name no key", false, func(c *Config) value { return required{&c.Syslog.Project} }},
		{"syslog_tls_cert", "", "file of the certificate of tls:// addresses", false, func(c *Config) value { return text{&c.Syslog.TLSCert} }},
		{"syslog_tls_key", "", "file of its key", false, func(c *Config) value { return text{&c.Syslog.TLSKey} }},
		{"syslog_tls_client_ca", "", "file of the authorities whose clients alone may send", false, func(c *Config) value { return text{&c.Syslog.TLSClients} }},
		{"syslog_socket_mode", "0666", "permissions of Unix sockets", false, func(c *Config) value { return mode{&c.Syslog.SocketMode} }},
		{"syslog_message_size", "64KiB", "one message", false, func(c *Config) value { return smallSize{&c.Syslog.MessageSize, 1 << 10, 1 << 20} }},
		{"syslog_rate", "20000", "messages a second of one sender", false, func(c *Config) value { return number{&c.Syslog.Rate, 1, 10_000_000} }},
		{"syslog_connections", "500", "connections at a time", false, func(c *Config) value { return number{&c.Syslog.Connections, 1, 100_000} }},
		{"syslog_buffer", "16MiB", "messages that wait to be read", false, func(c *Config) value { return smallSize{&c.Syslog.Buffer, 64 << 10, 1 << 30} }},
	}
}

// pglogTable is the logs of PostgreSQL that are read where they are written, and how those that are sent are read.
func pglogTable() []Setting {
	return []Setting{
		{"pglog.files", "", "logs of PostgreSQL to follow, patterns with commas between: /var/log/postgresql/*.log,/var/log/postgresql/*.json", false,
			func(c *Config) value { return list{&c.PGLog.Files} }},
		{"pglog.format", "auto", "how they are written; what is sent over HTTP says so itself", false,
			func(c *Config) value {
				return choice{&c.PGLog.Format, []string{"auto", "stderr", "csvlog", "jsonlog", "syslog"}}
			}},
		{"pglog.prefix", "", "log_line_prefix of stderr and syslog; found from the log when it is empty", false, func(c *Config) value { return text{&c.PGLog.Prefix} }},
		{"pglog.project", "default", "project that their statements are counted in", false, func(c *Config) value { return required{&c.PGLog.Project} }},
	}
}

// perfTable is what is kept of requests.
func perfTable() []Setting {
	return []Setting{
		{"perf.enabled", "true", "record our own requests in the project kibitz", false, func(c *Config) value { return yes{&c.Perf.Enabled} }},
		{"perf.hosts", "true", "measure this machine every 15 s: CPU, memory, disks, network, pressure, Go, pools", false, func(c *Config) value { return yes{&c.Perf.Hosts} }},
		{"perf.keep_one_in", "100", "one in so many unremarkable requests keeps its spans", false, func(c *Config) value { return number{&c.Perf.KeepOneIn, 1, 1_000_000} }},
		{"perf.disk_budget", "20GiB", "what requests, spans and log lines may hold on disk; the oldest day goes first", false,
			func(c *Config) value { return size{&c.Perf.DiskBudget, 64 << 20, 1 << 46} }},
		{"perf.request_days", "14", "days for which each request, its spans and log lines are kept", false, func(c *Config) value { return number{&c.Perf.RequestDays, 1, 3650} }},
		{"perf.minute_days", "30", "days for which sums by the minute are kept", false, func(c *Config) value { return number{&c.Perf.MinuteDays, 2, 3650} }},
		{"perf.hour_days", "400", "days for which sums by the hour and the day are kept", false, func(c *Config) value { return number{&c.Perf.HourDays, 2, 36500} }},
	}
}

// switchesTable is how processes tell each other of switches.
func switchesTable() []Setting {
	return []Setting{
		{"switches.listen", "127.0.0.1:0", "where the other processes tell this one of switches; on several machines an address that they reach, 10.0.0.5:7946 say", false,
			func(c *Config) value { return address{&c.Switches.Listen} }},
		{"switches.advertise", "", "address that they are told to use for it; that of switches.listen when empty", false,
			func(c *Config) value { return text{&c.Switches.Advertise} }},
		{"switches.peers", "", "addresses of other processes, with commas between; those that share the database are found by themselves", false,
			func(c *Config) value { return list{&c.Switches.Peers} }},
		{"switches.secret", "", "what these messages are signed with, the same everywhere; made by the database when empty", true,
			func(c *Config) value { return text{&c.Switches.Secret} }},
		{"switches.auto_create", "true", "make switches that code asks for and that are not there: off, with who asked", false,
			func(c *Config) value { return yes{&c.Switches.AutoCreate} }},
	}
}

// exportTable is what other programs get of ours.
func exportTable() []Setting {
	return []Setting{
		{"metrics.open", "false", "let everybody read /metrics; else it needs a token with the scope metrics:read", false, func(c *Config) value { return yes{&c.Metrics.Open} }},
		{"metrics.endpoints", "500", "endpoints that /metrics counts apart; further ones are counted as other", false, func(c *Config) value { return number{&c.Metrics.Endpoints, 1, 100_000} }},
		{"otlp.forward", "", "address of a receiver of OpenTelemetry's traces that every stored request is sent on to, https://collector.example:4318 say; off when empty", true,
			func(c *Config) value { return text{&c.OTLP.Forward} }},
		{"otlp.forward_headers", "", "headers of those messages: Authorization=Bearer%20KEY,X-Scope=a, in percent encoding", true, func(c *Config) value { return headers{&c.OTLP.Headers} }},
		{"otlp.forward_queue", "32MiB", "compressed requests that wait for that receiver; 1 MiB is some 10,000", false, func(c *Config) value { return size{&c.OTLP.Queue, 1 << 20, 1 << 34} }},
		{"otlp.forward_patience", "900", "seconds for which a message is tried while that receiver is away", false, func(c *Config) value { return number{&c.OTLP.Patience, 1, 86_400} }},
	}
}

// reportTable is the mailed report and the server that mail goes through.
func reportTable() []Setting {
	return []Setting{
		{"report.to", "", "addresses that the report of queries and databases is mailed to, with commas between", false, func(c *Config) value { return list{&c.Report.To} }},
		{"report.from", "Kibitz <kibitz@localhost>", "address that it comes from", false, func(c *Config) value { return required{&c.Report.From} }},
		{"report.schedule", "weekly", "when it is sent, at 06:00 UTC; weekly: on Mondays", false, func(c *Config) value { return choice{&c.Report.Schedule, []string{"off", "daily", "weekly"}} }},
		{"smtp.url", "", "mail server: smtp://user:password@host:587 (STARTTLS), smtps://host, smtp://host:25?tls=none", true, func(c *Config) value { return text{&c.SMTP.URL} }},
	}
}

// databaseTable is the address of each partition.
func databaseTable() (t []Setting) {
	for _, name := range partitions {
		t = append(t,
			Setting{"database." + name + ".primary", "", "PostgreSQL URL of partition " + name + "; the embedded one when empty", true,
				func(c *Config) value { return text{&c.Database.Parts[name].Primary} }},
			Setting{"database." + name + ".owner", "", "the same for a role that may create tables; primary when empty", true,
				func(c *Config) value { return text{&c.Database.Parts[name].Owner} }},
			Setting{"database." + name + ".replicas", "", "PostgreSQL URLs that reads may go to, with commas between", true,
				func(c *Config) value { return list{&c.Database.Parts[name].Replicas} }})
	}
	return t
}

// hostname names this machine; a spool's cursor carries it.
func hostname() string {
	name, err := os.Hostname()
	if err != nil || (nodeName{new(string)}).set(name) != nil {
		return "kibitz"
	}
	return name
}

// machine is what the memory limit is taken from; tests put files of their own there.
type machine struct{ cgroup2, cgroup1, meminfo string }

var linux = machine{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/proc/meminfo"}

// onLinux tells whether those files can be there.
const onLinux = runtime.GOOS == "linux"
