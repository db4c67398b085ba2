package db

import (
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// PoolStat is what one pool of connections has done since the start. Counters only grow.
type PoolStat struct {
	Part Partition
	Name string // web, ingest or jobs, and replica 1, replica 2 ... of those that are read from
	// Used and Idle are connections now, Max what there may be.
	Used, Idle, Max int64
	// Acquires were answered; Empty of them found no idle connection, and Waited for so long together. Canceled gave up.
	Acquires, Empty, Canceled int64
	Waited                    time.Duration
}

// Pools tells what every pool has done, by partition.
func (d *DB) Pools() (list []PoolStat) {
	for _, name := range Partitions {
		p := d.parts[name]
		for use := range Use(len(limitsOf)) {
			list = append(list, poolStat(name, limitsOf[use].name, p.primary[use]))
		}
		for i, pool := range p.replicas {
			list = append(list, poolStat(name, "replica "+strconv.Itoa(i+1), pool))
		}
	}
	return list
}

func poolStat(part Partition, name string, pool *pgxpool.Pool) PoolStat {
	s := pool.Stat()
	return PoolStat{Part: part, Name: name, Used: int64(s.AcquiredConns()), Idle: int64(s.IdleConns()), Max: int64(s.MaxConns()),
		Acquires: s.AcquireCount(), Empty: s.EmptyAcquireCount(), Canceled: s.CanceledAcquireCount(), Waited: s.EmptyAcquireWaitTime()}
}

// PoolStats are the pools of each partition together.
func (d *DB) PoolStats() map[Partition]PoolStat {
	out := map[Partition]PoolStat{}
	for _, p := range d.Pools() {
		sum := out[p.Part]
		sum.Part, sum.Used, sum.Idle, sum.Max = p.Part, sum.Used+p.Used, sum.Idle+p.Idle, sum.Max+p.Max
		sum.Acquires, sum.Empty, sum.Canceled, sum.Waited = sum.Acquires+p.Acquires, sum.Empty+p.Empty, sum.Canceled+p.Canceled, sum.Waited+p.Waited
		out[p.Part] = sum
	}
	return out
}
