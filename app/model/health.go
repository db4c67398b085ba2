package model

import "time"

// Verdict is the answer of a health check.
type Verdict string

// The verdicts. Unknown is no praise: there is not enough data, or not enough rights, to tell.
const (
	Healthy Verdict = "ok"
	Warn    Verdict = "warn"
	Bad     Verdict = "bad"
	Unknown Verdict = "unknown"
)

// Finding is what one check says of one server, or of one partition on it.
type Finding struct {
	Check   string // a stable name: unused_index, replication_lag ...
	Title   string
	Node    string // the server, or the partition on it
	Verdict Verdict
	// Said is the finding in a sentence with its numbers, or why nothing can be said.
	Said string
	// Advice is what to do about it; "" when nothing.
	Advice string
	// Value and Unit are the one number of the check, for a tile; "" when it has none.
	Value, Unit string
	Items       []FindingItem
	More        int // items that were left out
}

// FindingItem is one thing that a finding names.
type FindingItem struct {
	Name, Said string
	SQL        string // what mends it, for a person to run; "" when nothing does
}

// ServerFacts are what a database server says of itself, read at one moment.
type ServerFacts struct {
	Node    string // as db.Node prints it
	Part    string
	Replica int // 0: the primary
	// Identity is the same for all nodes that are one server and database.
	Identity   string
	At         time.Time // by the server's clock
	Started    time.Time
	StatsReset time.Time // since when its counters count; zero when it does not say
	Version    int       // server_version_num: 150018 is 15.18
	Recovery   bool      // it is a replica
	// Monitor is whether our role may see what others do (pg_monitor).
	Monitor  bool
	Database string
	Size     int64 // of the database, in bytes
	// Vitals are counters since StatsReset.
	Vitals Vitals
	// MemoryAvailable is what the machine could give to its page cache, in bytes; 0 when the server is elsewhere.
	MemoryAvailable int64
	Settings        map[string]Setting
	Connections     []ConnectionGroup
	Sessions        []DBSession
	Ages            []XIDAge
	Followers       []Follower
	Slots           []ReplicationSlot
	Lag             time.Duration // behind its primary; a replica's own word
	Progress        []VacuumProgress
	Building        []int64 // oids of indexes that are being built
	Statements      bool    // pg_stat_statements can be read
	// Cached is how much of each index stands in shared buffers, by oid; nil without pg_buffercache.
	Cached map[int64]int64
}

// Vitals are a database's counters, and gauges of the moment.
type Vitals struct {
	TableHits, TableReads int64 // blocks of tables found in shared buffers, and not
	IndexHits, IndexReads int64 // the same of indexes
	Deadlocks             int64
	TempBytes             int64
	Commits, Rollbacks    int64
	Connections           int
	OldestTx              time.Duration
	Live, Dead            int64 // rows
}

// Setting is one line of pg_settings.
type Setting struct {
	Value, Unit, Source string
	PendingRestart      bool
}

// ConnectionGroup is connections that do the same.
type ConnectionGroup struct {
	State, Kind, User, App string // Kind is backend_type
	N                      int
}

// DBSession is a connection worth a look: it works long, waits for a lock or sits in a transaction.
type DBSession struct {
	PID               int
	Kind, User, App   string
	State, Wait, SQL  string
	Running, InTx     time.Duration // of the statement, and of the transaction
	BlockedBy         []int
	WaitsForLock      bool
	OwnDatabase       bool
	VacuumForWrapping bool // an autovacuum that must not be cancelled
}

// XIDAge is how many transactions a database is from its oldest unfrozen one.
type XIDAge struct {
	Database       string
	XIDs, MultiIDs int64
}

// Follower is a replica, seen from its primary.
type Follower struct {
	Name, State, Sync string
	Lag               time.Duration
	Behind            int64 // bytes of WAL
}

// ReplicationSlot keeps WAL for somebody.
type ReplicationSlot struct {
	Name, Kind string
	Active     bool
	Status     string // wal_status: reserved, extended, unreserved, lost
	Retained   int64  // bytes of WAL
}

// VacuumProgress is a vacuum that runs.
type VacuumProgress struct {
	Table, Phase string
	Share        float64 // of the table's blocks scanned, 0 to 1
}

// SchemaFacts are what stands in one partition's schema.
type SchemaFacts struct {
	Part        string
	Made        time.Time // when its first table was made
	Tables      []TableFacts
	Indexes     []IndexFacts
	Columns     []ColumnFacts
	Sequences   []SequenceFacts
	Constraints []ConstraintFacts
}

// TableFacts is a table, or one time partition of a table.
type TableFacts struct {
	OID                int64
	Name, Root         string // Root is the partitioned table that it belongs to, itself when it is none
	Bytes, Total       int64  // without and with indexes and TOAST
	Rows               int64  // estimated; -1 when it has never been analyzed
	SeqScans, IdxScans int64
	Live, Dead         int64
	Changed            int64 // rows changed since the last analyze
	Writes             int64 // rows inserted, updated or deleted since the counters began
	Vacuumed, Analyzed time.Time
	XIDAge             int64
}

// IndexFacts is an index.
type IndexFacts struct {
	OID                              int64
	Name, Table, Root, RootIndex     string
	Method                           string // btree, gin ...
	Columns                          []string
	Keys                             int // the first Keys of Columns are searched by, the rest only stored
	Signature                        []string
	Where                            string
	Definition                       string
	Bytes, Rows                      int64
	Fill                             int // fillfactor, per cent
	Scans                            int64
	Reads, Hits                      int64 // blocks
	LastScan                         time.Time
	Unique, Primary, Constraint      bool
	Valid, Ready, ReplicaID, Partial bool
	Expressions                      bool
}

// ColumnFacts is a column as the planner knows it.
type ColumnFacts struct {
	Table, Name, Type string
	Known             bool // the table has been analyzed
	Width             int  // average bytes
	Nulls             float64
	Distinct          float64 // as pg_stats.n_distinct: negative is a share of the rows
	Top               string  // the upper end of its histogram, for keys of whole numbers
	Primary           bool    // it alone is the primary key
}

// SequenceFacts is a sequence and the type of the column that it fills.
type SequenceFacts struct {
	Name, Column, Type string
	Last, Max, Step    int64
	Known              bool // Last could be read
}

// ConstraintFacts is a foreign key, or any constraint that has not been validated.
type ConstraintFacts struct {
	Name, Table, References string
	Columns                 []string
	Foreign, Validated      bool
}

// SpaceSample is how large a relation was on a day.
type SpaceSample struct {
	Part, Relation string
	Day            time.Time
	Bytes          int64
}
