package model

import "time"

// StatementIO is what a statement read and wrote, in blocks (8 kB unless the server was built otherwise). Only
// pg_stat_statements tells it.
type StatementIO struct {
	Hit, Read           int64         // shared blocks found in memory, and read into it
	Dirtied, Written    int64         // shared blocks changed, and written out to make room
	TempRead, TempDone  int64         // temporary blocks read and written
	ReadTime, WriteTime time.Duration // of shared blocks; zero unless track_io_timing is on
	WALBytes            int64
}

// Moved is how many blocks came into shared memory, or left it, or were of temporary files: what a ranking by I/O goes by.
func (io StatementIO) Moved() int64 { return io.Read + io.Written + io.TempRead + io.TempDone }

// Numbers is the stored form; a number's place never moves.
func (io StatementIO) Numbers() []int64 {
	return []int64{io.Hit, io.Read, io.Dirtied, io.Written, io.TempRead, io.TempDone, io.WALBytes, io.ReadTime.Microseconds(), io.WriteTime.Microseconds()}
}

// StatementIOOf reads the stored form; what an older version did not write is 0.
func StatementIOOf(numbers []int64) StatementIO {
	var n [9]int64
	copy(n[:], numbers)
	return StatementIO{n[0], n[1], n[2], n[3], n[4], n[5], time.Duration(n[7]) * time.Microsecond, time.Duration(n[8]) * time.Microsecond, n[6]}
}

// Plus adds up.
func (io StatementIO) Plus(o StatementIO) StatementIO {
	return StatementIO{io.Hit + o.Hit, io.Read + o.Read, io.Dirtied + o.Dirtied, io.Written + o.Written, io.TempRead + o.TempRead, io.TempDone + o.TempDone,
		io.ReadTime + o.ReadTime, io.WriteTime + o.WriteTime, io.WALBytes + o.WALBytes}
}

// Minus takes earlier sums away. None falls below zero: the server rounds some.
func (io StatementIO) Minus(o StatementIO) StatementIO {
	return StatementIO{max(io.Hit-o.Hit, 0), max(io.Read-o.Read, 0), max(io.Dirtied-o.Dirtied, 0), max(io.Written-o.Written, 0),
		max(io.TempRead-o.TempRead, 0), max(io.TempDone-o.TempDone, 0), max(io.ReadTime-o.ReadTime, 0), max(io.WriteTime-o.WriteTime, 0), max(io.WALBytes-o.WALBytes, 0)}
}
